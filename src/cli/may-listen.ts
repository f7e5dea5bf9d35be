import {ConfigurationError} from '../lib/foundation/index.js'
import {isLoopback} from '../server/loopback.js'

/**
 * A server for other machines needs a key, or the word that it shall be open.
 *
 * @param ways what to do about it
 * @throws ConfigurationError `AUTH_REQUIRED`
 */
export function checkMayListen(host: string, isGuarded: boolean, isOpen: boolean, ways: string[]): void {
  if (isLoopback(host) || isGuarded || isOpen) return
  throw new ConfigurationError('AUTH_REQUIRED', `--host ${host} lets other machines in without a key`, {
    suggestions: ways,
  })
}
