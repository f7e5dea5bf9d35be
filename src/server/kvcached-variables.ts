import {DEFAULT_KV, type EngineOptions} from '../lib/engine/index.js'
import {ConfigurationError} from '../lib/foundation/index.js'

/**
 * Pure: what kvcached's environment variables say about an engine's pages; only what is set is there. The watch for new
 * limits runs whatever they say, unlike upstream's.
 *
 * @param blockSize tokens a block
 * @throws ConfigurationError `VARIABLE_INVALID`
 * @see ovg-project/kvcached:kvcached/utils.py
 */
export function kvcachedVariables(environment: NodeJS.ProcessEnv, blockSize: number): Partial<EngineOptions> {
  const pageMiB = integer(environment, 'KVCACHED_PAGE_SIZE_MB')
  if (pageMiB !== null && (pageMiB <= 0 || pageMiB % 2 !== 0))
    throw invalid('KVCACHED_PAGE_SIZE_MB', pageMiB, 'a positive multiple of 2')
  const minPages = pages(environment, 'KVCACHED_MIN_RESERVED_PAGES')
  const maxPages = pages(environment, 'KVCACHED_MAX_RESERVED_PAGES')
  const cachedTokens = integer(environment, 'KVCACHED_MAX_CACHED_TOKENS')
  const utilization = share(environment, 'KVCACHED_GPU_UTILIZATION')
  const preallocates = (environment['KVCACHED_PAGE_PREALLOC_ENABLED'] || 'true').toLowerCase() === 'true'
  return {
    ...(pageMiB !== null && {kv: {...DEFAULT_KV, pageBytes: pageMiB * 2 ** 20}}),
    ...(minPages !== null && {minReservedPages: minPages}),
    ...(!preallocates && {minReservedPages: 0}),
    ...(maxPages !== null && {maxReservedPages: maxPages}),
    ...(utilization !== null && {memoryUtilization: utilization}),
    ...(cachedTokens !== null && {maxCachedBlocks: cachedBlocks(cachedTokens, blockSize)}),
  }
}

/** Below 0 is no bound; above 0 at least one block. @see ovg-project/kvcached:kvcached/integration/vllm */
function cachedBlocks(tokens: number, blockSize: number): number | null {
  if (tokens <= 0) return tokens < 0 ? null : 0
  return Math.max(1, Math.floor(tokens / blockSize))
}

function pages(environment: NodeJS.ProcessEnv, name: string): number | null {
  const count = integer(environment, name)
  if (count !== null && count < 0) throw invalid(name, count, 'a whole number of 0 or more')
  return count
}

function share(environment: NodeJS.ProcessEnv, name: string): number | null {
  const text = environment[name]?.trim() ?? ''
  if (text === '') return null
  const value = Number(text)
  if (value > 0 && value <= 1) return value
  throw invalid(name, text, 'a share of the memory, above 0 and at most 1')
}

function integer(environment: NodeJS.ProcessEnv, name: string): number | null {
  const text = environment[name]?.trim() ?? ''
  if (text === '') return null
  if (/^[+-]?\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  throw invalid(name, text, 'a whole number')
}

function invalid(name: string, value: string | number, wanted: string): ConfigurationError {
  return new ConfigurationError('VARIABLE_INVALID', `${name} must be ${wanted}, not '${value}'`)
}
