import {errors, Pool, type Dispatcher} from 'undici'
import {headersToForward} from './forward-headers.js'

export interface RelayRequest {
  readonly method: string
  /** Path and query, as they came. */
  readonly path: string
  /** Names and values in turn, as they came. */
  readonly headers: readonly string[]
  readonly body: Buffer | null
}

/** Who takes an answer on its way. */
export interface RelaySink {
  /** @param headers names and values in turn, as the server wrote them, without those of the connection */
  head(status: number, reason: string, headers: string[]): void
  /** @returns false to be sent nothing more until `resume` is called */
  data(chunk: Buffer): boolean
  end(): void
  /** The answer did not come, or not to its end. */
  fail(failure: RelayFailure): void
}

/**
 * `unreachable`: no connection; `late`: no answer in time; `broken`: the connection ended early; `invalid`: a header that
 * cannot be sent.
 */
export interface RelayFailure {
  readonly kind: 'unreachable' | 'late' | 'broken' | 'invalid'
  readonly message: string
}

/** A request on its way. */
export interface Relayed {
  resume(): void
  /** Ends the exchange and its connection, so that the server stops working on it. The sink hears nothing more. */
  abort(): void
}

/** Connections to one server, kept alive between requests. */
export interface RelayPool {
  send(request: RelayRequest, sink: RelaySink): Relayed
  /** Lets running exchanges end. */
  close(): Promise<void>
}

const CONNECT_MS = 5000
/** Below the keep-alive time of uvicorn (5 s) and Node (5 s), so that a request seldom meets a connection that just ended. */
const KEEP_ALIVE_MS = 4000

/**
 * Passes requests and answers through as they are, event by event and no faster than the client reads.
 *
 * @param origin scheme, host and port
 * @param patienceMs to the first byte of an answer, and between two of its bytes
 */
export function createRelayPool(origin: string, patienceMs: number): RelayPool {
  const pool = new Pool(origin, {
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    headersTimeout: patienceMs,
    bodyTimeout: patienceMs,
    connect: {timeout: CONNECT_MS},
  })
  return {
    send: (request, sink) => relay(pool, request, sink),
    close: () => pool.close(),
  }
}

function relay(pool: Pool, {method, path, headers, body}: RelayRequest, sink: RelaySink): Relayed {
  let controller: Dispatcher.DispatchController | null = null
  let isOver = false
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started
      if (isOver) started.abort(new Error('the client left'))
    },
    onResponseStart(started, status, parsed, reason) {
      // 100 and 103 are for the connection, not for the answer.
      if (status < 200 || isOver) return
      sink.head(status, reason ?? '', headersToForward(rawHeaders(started, parsed)))
    },
    onResponseData(started, chunk) {
      if (!isOver && !sink.data(chunk)) started.pause()
    },
    onResponseEnd() {
      if (isOver) return
      isOver = true
      sink.end()
    },
    onResponseError(_, error) {
      if (isOver) return
      isOver = true
      sink.fail(failureOf(error))
    },
  }
  try {
    pool.dispatch({method: method, path, headers: [...headers], body}, handler)
  } catch (error) {
    isOver = true
    const message = error instanceof Error ? error.message : String(error)
    queueMicrotask(() => sink.fail({kind: 'invalid', message}))
  }
  return {
    resume: () => controller?.resume(),
    abort() {
      if (isOver) return
      isOver = true
      controller?.abort(new Error('the client left'))
    },
  }
}

function rawHeaders(
  {rawHeaders: raw}: Dispatcher.DispatchController,
  parsed: Readonly<Record<string, string | string[] | undefined>>,
): string[] {
  if (Array.isArray(raw)) return raw.map(part => (typeof part === 'string' ? part : part.toString('latin1')))
  return Object.entries(parsed).flatMap(([name, values]) =>
    [values ?? []].flat().flatMap(value => [name, value]),
  )
}

function failureOf(error: Error): RelayFailure {
  const {message} = error
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError)
    return {kind: 'late', message}
  const code = 'code' in error ? String(error.code) : ''
  const isUnreachable =
    error instanceof errors.ConnectTimeoutError ||
    ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'].includes(code)
  return {kind: isUnreachable ? 'unreachable' : 'broken', message: message || code}
}
