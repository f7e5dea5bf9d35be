import {ConfigurationError} from '../foundation/index.js'

/** kvcached's environment variables, as typed; what is not set has kvcached's default, or null where kvctl's differs. */
export interface KvcachedSettings {
  readonly isEnabled: boolean
  readonly autopatches: boolean
  readonly gpuUtilization: number
  readonly pageBytes: number
  readonly preallocates: boolean
  readonly minReservedPages: number
  readonly maxReservedPages: number
  readonly isContiguous: boolean
  /** Tokens of unreferenced blocks kept for prefix caching; below 0 any number, null not said. */
  readonly maxCachedTokens: number | null
  readonly ipcTimeoutMs: number
}

/**
 * Pure: kvcached's variables, all in one place.
 *
 * @throws ConfigurationError `VARIABLE_INVALID`, where kvcached itself takes a default or a zero
 * @see ovg-project/kvcached:kvcached/utils.py — the names, defaults and meanings
 */
export function readKvcachedSettings(environment: NodeJS.ProcessEnv): KvcachedSettings {
  const isEnabled = truth(environment, 'ENABLE_KVCACHED', false)
  const pageMiB = integer(environment, 'KVCACHED_PAGE_SIZE_MB') ?? 2
  if (pageMiB <= 0 || pageMiB % 2 !== 0) {
    throw invalid('KVCACHED_PAGE_SIZE_MB', pageMiB, 'a positive multiple of 2')
  }
  // Read for the sake of its check: kvctl counts a block freed twice as an error whatever it says.
  truth(environment, 'KVCACHED_SANITY_CHECK', false)
  // The same; kvcached reads it and uses it nowhere either.
  integer(environment, 'KVCACHED_MAX_CACHED_BLOCKS')
  return {
    isEnabled,
    autopatches: truth(environment, 'KVCACHED_AUTOPATCH', isEnabled),
    gpuUtilization: share(environment, 'KVCACHED_GPU_UTILIZATION') ?? 0.95,
    pageBytes: pageMiB * 2 ** 20,
    preallocates: truth(environment, 'KVCACHED_PAGE_PREALLOC_ENABLED', true),
    minReservedPages: pages(environment, 'KVCACHED_MIN_RESERVED_PAGES') ?? 5,
    maxReservedPages: pages(environment, 'KVCACHED_MAX_RESERVED_PAGES') ?? 10,
    isContiguous: truth(environment, 'KVCACHED_CONTIGUOUS_LAYOUT', true),
    maxCachedTokens: integer(environment, 'KVCACHED_MAX_CACHED_TOKENS'),
    ipcTimeoutMs: timeoutMs(environment),
  }
}

/** Below 0 is no bound; above 0 at least one block. @see ovg-project/kvcached:kvcached/integration/vllm */
export function cachedBlocks(tokens: number, blockSize: number): number | null {
  if (tokens <= 0) return tokens < 0 ? null : 0
  return Math.max(1, Math.floor(tokens / blockSize))
}

function textOf(environment: NodeJS.ProcessEnv, name: string): string {
  return environment[name]?.trim() ?? ''
}

function truth(environment: NodeJS.ProcessEnv, name: string, fallback: boolean): boolean {
  const text = textOf(environment, name)
  if (text === '') return fallback
  if (/^(true|1)$/i.test(text)) return true
  if (/^(false|0)$/i.test(text)) return false
  throw invalid(name, text, 'true or false')
}

function pages(environment: NodeJS.ProcessEnv, name: string): number | null {
  const count = integer(environment, name)
  if (count !== null && count < 0) throw invalid(name, count, 'a whole number of 0 or more')
  return count
}

function share(environment: NodeJS.ProcessEnv, name: string): number | null {
  const text = textOf(environment, name)
  if (text === '') return null
  const value = Number(text)
  if (value > 0 && value <= 1) return value
  throw invalid(name, text, 'a share of the memory, above 0 and at most 1')
}

function integer(environment: NodeJS.ProcessEnv, name: string): number | null {
  const text = textOf(environment, name)
  if (text === '') return null
  if (/^[+-]?\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  throw invalid(name, text, 'a whole number')
}

/** Seconds; 0 and less is no limit. */
function timeoutMs(environment: NodeJS.ProcessEnv): number {
  const text = textOf(environment, 'KVCACHED_IPC_TIMEOUT')
  const seconds = text === '' ? 60 : Number(text)
  if (Number.isNaN(seconds)) throw invalid('KVCACHED_IPC_TIMEOUT', text, 'a number of seconds')
  return seconds > 0 ? seconds * 1000 : Infinity
}

function invalid(name: string, value: string | number, wanted: string): ConfigurationError {
  return new ConfigurationError('VARIABLE_INVALID', `${name} must be ${wanted}, not '${value}'`)
}
