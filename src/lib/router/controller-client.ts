import {NetworkError, ResourceError} from '../foundation/index.js'
import {jsonOf, type HttpAnswer, type HttpClient} from '../http/index.js'
import {bearer} from '../inference/index.js'
import type {ActionJson} from './json.js'

/** A controller elsewhere: kvctl's, or kvcached's own. */
export interface ControllerClient {
  /**
   * @throws NetworkError when it cannot be reached, lets nobody in, or answers with something else
   * @throws ResourceError `MODEL_NOT_FOUND` with the controller's words
   */
  get<T>(path: string): Promise<T>
  /** @throws as `get`; ResourceError `ACTION_REFUSED` when it was not done */
  order(order: 'sleep' | 'wake', model: string): Promise<ActionJson>
}

/** Longer than a model is waited for. */
export const ORDER_MS = 600_000

export function createControllerClient(
  http: HttpClient,
  url: string,
  token: string | null,
  signal: AbortSignal,
): ControllerClient {
  const base = url.replace(/\/+$/, '')
  const asked = {headers: bearer(token), signal}
  return {
    async get<T>(path: string) {
      return documentOf(await http.get(base + path, asked)) as T
    },
    async order(order, model) {
      const action = order === 'sleep' ? 'sleep' : 'wakeup'
      const path = `/action/${action}/${encodeURIComponent(model)}`
      const answer = await http.post(base + path, undefined, {...asked, timeoutMs: ORDER_MS})
      if (answer.status !== 400) return documentOf(answer) as ActionJson
      const {message, reason} = JSON.parse(answer.text) as Partial<ActionJson>
      throw new ResourceError(
        'ACTION_REFUSED',
        `${message ?? answer.text}${reason === undefined ? '' : `: ${reason}`}`,
      )
    },
  }
}

function documentOf(answer: HttpAnswer): unknown {
  if (answer.status === 401 || answer.status === 403) {
    throw new NetworkError('ENDPOINT_UNAUTHORIZED', `${answer.url} wants a token (HTTP ${answer.status})`, {
      suggestions: ['give it with --token or KVCTL_TOKEN'],
    })
  }
  if (answer.status === 404) {
    const said = errorOf(answer.text)
    if (said !== null) throw new ResourceError('MODEL_NOT_FOUND', said, {suggestions: ['kvctl models']})
    throw new NetworkError('ENDPOINT_NOT_CONTROLLER', `${answer.url} does not exist: no controller is there`)
  }
  return jsonOf(answer)
}

/** The controller's `{"error": "text"}`. */
function errorOf(text: string): string | null {
  try {
    const {error} = JSON.parse(text) as {error?: unknown}
    return typeof error === 'string' ? error : null
  } catch {
    return null
  }
}
