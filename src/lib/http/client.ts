import {Agent, errors, request} from 'undici'
import {NetworkError} from '../foundation/index.js'

export interface HttpAnswer {
  readonly url: string
  readonly status: number
  readonly contentType: string
  /** Names in lower case; of a header sent several times, the first value. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly text: string
}

export interface HttpRequestOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** From the call to the last byte of the answer; the client's own limit when absent. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** Control traffic: small documents, whole answers. Measuring is `bench`'s, which has a reader of its own. */
export interface HttpClient {
  /** @throws NetworkError that names the URL; any status is an answer, not an error */
  get(url: string, options?: HttpRequestOptions): Promise<HttpAnswer>
  /** Sends `body` as JSON, or none where it is undefined. @throws NetworkError that names the URL; any status is an answer, not an error */
  post(url: string, body: unknown, options?: HttpRequestOptions): Promise<HttpAnswer>
  /** Sends a body of JSON as it stands, or none. @throws NetworkError that names the URL; any status is an answer, not an error */
  send(
    method: HttpMethod,
    url: string,
    body: string | null,
    options?: HttpRequestOptions,
  ): Promise<HttpAnswer>
  close(): Promise<void>
}

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'DELETE'

export interface HttpClientOptions {
  /** Accept any TLS certificate. */
  readonly isInsecure?: boolean
  /** Default limit of one exchange, ms. */
  readonly timeoutMs?: number
  readonly maxAnswerBytes?: number
}

/** A keep-alive client that knows no proxy, follows no redirect and never retries. */
export function createHttpClient(options: HttpClientOptions = {}): HttpClient {
  const {isInsecure = false, timeoutMs = 10_000, maxAnswerBytes = 32 * 1024 * 1024} = options
  const dispatcher = new Agent({
    connect: {rejectUnauthorized: !isInsecure, timeout: timeoutMs},
    maxResponseSize: maxAnswerBytes,
    keepAliveTimeout: 4000,
  })

  const exchange = async (
    method: HttpMethod,
    url: string,
    body: string | null,
    {headers = {}, timeoutMs: limitMs = timeoutMs, signal}: HttpRequestOptions,
  ): Promise<HttpAnswer> => {
    const limit = AbortSignal.timeout(limitMs)
    try {
      const answer = await request(url, {
        dispatcher,
        method,
        body,
        headers: !body ? headers : {'content-type': 'application/json', ...headers},
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      })
      const contentType = answer.headers['content-type']
      return {
        url,
        status: answer.statusCode,
        contentType: typeof contentType === 'string' ? contentType : '',
        headers: firstValues(answer.headers),
        text: await answer.body.text(),
      }
    } catch (error) {
      signal?.throwIfAborted()
      throw asNetworkError(url, error, limit.aborted, limitMs)
    }
  }

  return {
    get: (url, asked = {}) => exchange('GET', url, null, asked),
    post: (url, body, asked = {}) =>
      exchange('POST', url, body === undefined ? '' : JSON.stringify(body), asked),
    send: (method, url, body, asked = {}) => exchange(method, url, body, asked),
    close: () => dispatcher.close(),
  }
}

function firstValues(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  )
}

/** What a failure of undici's means to who asked for `url`. @param isLate whether our own time limit ended it */
export function asNetworkError(url: string, error: unknown, isLate: boolean, limitMs: number): NetworkError {
  const isTimeout =
    isLate ||
    error instanceof errors.ConnectTimeoutError ||
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError
  if (isTimeout) {
    return new NetworkError('ENDPOINT_TIMEOUT', `${url} did not answer within ${limitMs} ms`, {cause: error})
  }
  return new NetworkError('ENDPOINT_UNREACHABLE', `${url} cannot be reached: ${reasonOf(error)}`, {
    cause: error,
    suggestions: ['check that the server runs and that the URL is right'],
  })
}

/** Node reports several attempts (IPv6, IPv4) as one error without a message of its own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(reasonOf).join('; ')
  }
  return error instanceof Error ? error.message : String(error)
}
