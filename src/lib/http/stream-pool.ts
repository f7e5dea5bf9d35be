import {errors, Pool} from 'undici'

/** Hears of one exchange, in this order; `failed` at any time, and then nothing more. */
export interface StreamListener {
  /** It got a connection and its first byte goes out. */
  sent(): void
  head(status: number, contentType: string, retryAfter: string): void
  data(bytes: Buffer): void
  end(): void
  failed(error: Error): void
}

export interface StreamRequest {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer
}

/** Streams of one origin through undici's own connections and parser. */
export interface StreamPool {
  /** @returns breaks the exchange off; its listener hears `failed` */
  post(request: StreamRequest, listener: StreamListener): () => void
  close(): Promise<void>
}

export interface StreamPoolOptions {
  readonly isInsecure: boolean
  /** False opens a connection for each request. */
  readonly isKept: boolean
  readonly connectTimeoutMs: number | null
  /** Between two reads of an answer; null is no limit. */
  readonly idleTimeoutMs: number | null
}

export function createStreamPool(origin: string, options: StreamPoolOptions): StreamPool {
  const {isInsecure, isKept, connectTimeoutMs, idleTimeoutMs} = options
  const pool = new Pool(origin, {
    connections: null,
    // undici's way to say: no keep-alive.
    pipelining: isKept ? 1 : 0,
    connect: {rejectUnauthorized: !isInsecure, timeout: connectTimeoutMs ?? 0},
    headersTimeout: idleTimeoutMs ?? 0,
    bodyTimeout: idleTimeoutMs ?? 0,
  })
  return {
    post({path, headers, body}, listener) {
      let abort: (reason: Error) => void = () => undefined
      pool.dispatch(
        {path, method: 'POST', headers, body},
        {
          onRequestStart(controller) {
            abort = reason => controller.abort(reason)
            listener.sent()
          },
          onResponseStart(_controller, status, answered) {
            const type = answered['content-type']
            const wait = answered['retry-after']
            listener.head(status, typeof type === 'string' ? type : '', typeof wait === 'string' ? wait : '')
          },
          onResponseData: (_controller, bytes) => listener.data(bytes),
          onResponseEnd: () => listener.end(),
          onResponseError: (_controller, error) => listener.failed(error),
        },
      )
      return () => abort(new errors.RequestAbortedError('the run was stopped'))
    },
    close: () => pool.destroy(),
  }
}

/** What kind of failure an error of a stream is. */
export type StreamFailure = 'connect' | 'timeout_connect' | 'timeout_idle' | 'tls' | 'reset' | 'invalid'

export function streamFailureOf(error: Error): StreamFailure {
  if (error instanceof errors.ConnectTimeoutError) return 'timeout_connect'
  if (error instanceof errors.BodyTimeoutError || error instanceof errors.HeadersTimeoutError)
    return 'timeout_idle'
  if (error instanceof errors.HTTPParserError || error instanceof errors.ResponseContentLengthMismatchError) {
    return 'invalid'
  }
  const code = (error as NodeJS.ErrnoException).code ?? ''
  if (/CERT|SSL|TLS|SELF_SIGNED/.test(code)) return 'tls'
  return (error as NodeJS.ErrnoException).syscall === 'connect' ? 'connect' : 'reset'
}
