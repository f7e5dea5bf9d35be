import {fieldsOf, type Fields} from '../../foundation/index.js'
import type {CacheOperation} from '../operations.js'

/** What a worker says went wrong, in any of its forms: `error` and `message`, refused settings, FastAPI's `detail`, a text. */
export function complaintOf(body: unknown): string {
  const {error, message, detail} = fieldsOf(body)
  const refused = Object.entries(refusedSettings(body))
  if (refused.length > 0) return refused.map(([name, why]) => `${name}: ${String(why)}`).join('; ')
  const parts = [error, message].filter(part => typeof part === 'string')
  if (parts.length > 0) return parts.join(': ')
  if (typeof detail === 'string') return detail
  if (Array.isArray(detail)) return (detail as unknown[]).map(complaintOfField).join('; ')
  return typeof body === 'string' && body !== '' ? body.slice(0, 200) : 'no reason given'
}

/** One entry of FastAPI's list, such as `chunk_size: Input should be a valid integer`. */
function complaintOfField(entry: unknown): string {
  const {loc, msg} = fieldsOf(entry)
  const name = Array.isArray(loc) ? (loc as unknown[]).at(-1) : undefined
  return [name, msg ?? JSON.stringify(entry)]
    .filter(part => part !== undefined)
    .map(String)
    .join(': ')
}

/** Keys of a setting that was refused, although the status may say 200. */
export function refusedSettings(body: unknown): Fields {
  return fieldsOf(fieldsOf(body)['errors'])
}

/** A body under the names of today: older workers and newer source spell some differently. */
export function inTodaysWords(operation: CacheOperation, body: unknown): unknown {
  const fields = fieldsOf(body)
  if (operation === 'statisticsStatus') {
    const isCollecting = fields['is_collecting'] ?? fields['enabled']
    if (isCollecting !== undefined) return {...fields, is_collecting: isCollecting, enabled: isCollecting}
  }
  const {hot_cache_freeze_mode: freeze, ...rest} = fields
  return freeze === undefined ? body : {...rest, freeze}
}

/** Where workers before `/freeze` had it. */
export function olderPath(path: string): string | null {
  return path.startsWith('/freeze/') ? path.replace('/freeze/', '/hot_cache_freeze_mode/') : null
}
