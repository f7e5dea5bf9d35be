import {cachedBlocks, readKvcachedSettings} from '../lib/elastic/index.js'
import {DEFAULT_KV, type EngineOptions} from '../lib/engine/index.js'

/**
 * Pure: what kvcached's environment variables say about an engine's pages. The watch for new limits runs whatever they say,
 * unlike upstream's.
 *
 * @param blockSize tokens a block
 * @throws ConfigurationError `VARIABLE_INVALID`
 */
export function kvcachedVariables(environment: NodeJS.ProcessEnv, blockSize: number): Partial<EngineOptions> {
  const settings = readKvcachedSettings(environment)
  const {maxCachedTokens} = settings
  return {
    kv: {...DEFAULT_KV, pageBytes: settings.pageBytes},
    minReservedPages: settings.preallocates ? settings.minReservedPages : 0,
    maxReservedPages: settings.maxReservedPages,
    memoryUtilization: settings.gpuUtilization,
    ...(maxCachedTokens !== null && {maxCachedBlocks: cachedBlocks(maxCachedTokens, blockSize)}),
  }
}
