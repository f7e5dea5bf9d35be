import {ConfigurationError} from '../lib/foundation/index.js'
import {isHttpUrl} from './flags.js'

/**
 * The addresses in `KVCTL_ENGINE_URLS`, with commas between them; undefined where it says nothing.
 *
 * @throws ConfigurationError `USAGE`
 */
export function engineUrlsOf(environment: NodeJS.ProcessEnv): string[] | undefined {
  const urls = (environment['KVCTL_ENGINE_URLS'] ?? '').split(',').flatMap(url => url.trim() || [])
  const wrong = urls.find(url => !isHttpUrl(url))
  if (wrong === undefined) return urls.length === 0 ? undefined : urls
  throw new ConfigurationError(
    'USAGE',
    `KVCTL_ENGINE_URLS takes http:// or https:// addresses with commas between them, not '${wrong}'`,
  )
}
