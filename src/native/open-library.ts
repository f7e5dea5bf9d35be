import type koffiModule from 'koffi'
import type {NativeError} from './native-error.js'

type Koffi = typeof koffiModule
export type Library = ReturnType<Koffi['load']>

/**
 * Loads the first of some libraries that the loader finds.
 *
 * @param failed makes the error of one that it does not, from the loader's words
 * @throws the error of the first one, when none is found
 */
export function openLibrary(
  koffi: Koffi,
  candidates: readonly string[],
  failed: (words: string) => NativeError,
): Library {
  const failures: NativeError[] = []
  for (const candidate of candidates) {
    try {
      return koffi.load(candidate)
    } catch (error) {
      const why = (error as Error).message.replace(/^Failed to load shared library: /, '')
      failures.push(failed(`${candidate}: ${why}`))
    }
  }
  throw failures[0]!
}

/** koffi throws where a symbol is missing, which here is an answer. */
export function quietly<T>(find: () => T): T | null {
  try {
    return find()
  } catch {
    return null
  }
}
