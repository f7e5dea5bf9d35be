import {isFieldText, isToken} from './header-text.js'

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
  /** @returns false to be sent nothing more until `resume` is called; what was read already still comes */
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

const NOT_IN_PATH = /[^\x21-\x7e\x80-\xff]/
/** Methods whose body has a length also where there is none. */
const EXPECTS_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])
/** Up to here a head and its body are one write. */
const JOINED_BYTES = 64 * 1024

/**
 * Pure: a request as it goes over the wire, in one part or two.
 *
 * @throws Error for what cannot stand in a request, so that nothing in a header can end it and begin another
 */
export function requestBytes({method, path, headers, body}: RelayRequest, host: string): Buffer[] {
  if (!isToken(method) || NOT_IN_PATH.test(path)) throw new Error('invalid request line')
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`
  for (let at = 0; at < headers.length; at += 2) {
    const [name, value] = [headers[at]!, headers[at + 1]!]
    if (!isToken(name) || !isFieldText(value)) throw new Error(`invalid ${name} header`)
    head += `${name}: ${value}\r\n`
  }
  const length = body?.length ?? 0
  if (body !== null || EXPECTS_BODY.has(method)) head += `content-length: ${length}\r\n`
  head += '\r\n'
  if (length === 0) return [Buffer.from(head, 'latin1')]
  if (length > JOINED_BYTES) return [Buffer.from(head, 'latin1'), body!]
  const bytes = Buffer.allocUnsafe(head.length + length)
  bytes.write(head, 'latin1')
  body!.copy(bytes, head.length)
  return [bytes]
}
