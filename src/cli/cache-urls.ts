import {ConfigurationError} from '../lib/foundation/index.js'
import {isHttpUrl} from './flags.js'

/** Where workers listen unless told otherwise: LMCache's first two ranks, and kvctl serve. */
export const USUAL_CACHE_URLS: readonly string[] = [7000, 7001, 6767].map(port => `http://127.0.0.1:${port}`)

/**
 * The addresses in `KVCTL_CACHE_URL`, with commas between them; undefined where it says nothing.
 *
 * @throws ConfigurationError `USAGE`
 */
export function cacheUrlsOf(environment: NodeJS.ProcessEnv): string[] | undefined {
  const urls = (environment['KVCTL_CACHE_URL'] ?? '').split(',').flatMap(url => url.trim() || [])
  const wrong = urls.find(url => !isHttpUrl(url))
  if (wrong === undefined) return urls.length > 0 ? urls : undefined
  throw new ConfigurationError('USAGE', `KVCTL_CACHE_URL takes http:// or https:// addresses, not '${wrong}'`)
}
