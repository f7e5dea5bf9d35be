import {NetworkError} from '../foundation/index.js'
import type {HttpAnswer} from './client.js'

/**
 * The document in a 2xx answer.
 *
 * @throws NetworkError `ENDPOINT_STATUS` on any other status, `ENDPOINT_NOT_JSON` when the body is not JSON
 */
export function jsonOf(answer: HttpAnswer): unknown {
  const {url, status, text} = answer
  if (status < 200 || status > 299) {
    const said = text.trim().slice(0, 200)
    throw new NetworkError(
      'ENDPOINT_STATUS',
      `${url} answered HTTP ${status}${said === '' ? '' : `: ${said}`}`,
    )
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new NetworkError('ENDPOINT_NOT_JSON', `${url} did not answer with JSON`, {cause: error})
  }
}
