import {randomBytes} from 'node:crypto'
import {open, rename, rm} from 'node:fs/promises'
import {writeFailure} from './write-failure.js'

/**
 * Replaces a file in one step: a reader, or a kill in the middle, sees the old text or the new one and nothing between.
 *
 * @param text whole, or in parts that are asked for one after another
 * @throws ResourceError `DISK_FULL`, `NOT_WRITABLE`
 */
export async function writeFileAtomic(path: string, text: string | Iterable<string>): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`
  try {
    const file = await open(temporary, 'wx')
    try {
      // Each goes on where the last has ended.
      for (const part of typeof text === 'string' ? [text] : text) await file.writeFile(part)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, {force: true})
    throw writeFailure(error, path)
  }
}

/**
 * Writes one JSON document, indented, with a final newline.
 *
 * @throws RangeError for NaN or Infinity anywhere inside: JSON would turn them into null, and an unknown value has to be
 * null on purpose
 */
export async function writeJsonAtomic(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, `${strictJson(value)}\n`)
}

/** `JSON.stringify` that refuses numbers JSON cannot hold, naming the key. */
export function strictJson(value: unknown, indent = 2): string {
  return JSON.stringify(
    value,
    (key, part: unknown) => {
      if (typeof part === 'number' && !Number.isFinite(part))
        throw new RangeError(`'${key}' is ${part}, which is not JSON`)
      return part
    },
    indent,
  )
}
