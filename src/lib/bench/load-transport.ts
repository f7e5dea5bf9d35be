import type {Failure} from '../runs/index.js'
import type {TimeLimits} from './bench-plan.js'
import type {ResponseHead} from './response-reader.js'

/** Where a run sends its requests. */
export interface TransportTarget {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
  /** Accept any certificate. */
  readonly isInsecure: boolean
  /** False closes each connection after its one request. */
  readonly isKept: boolean
  readonly limits: TimeLimits
}

/**
 * What a transport tells of one exchange, in this order: `sent`, then for each read `read` followed by what was in it, then
 * `done` or `failed`, once. Instants are `performance.now()` milliseconds.
 */
export interface ExchangeListener {
  /** The first byte goes to an open socket now. @param connectMs what opening it took, null when it was open already */
  sent(atMs: number, connectMs: number | null): void
  /** @param delayMs upper bound of how long the bytes may have waited for this process */
  read(atMs: number, delayMs: number): void
  head(head: ResponseHead): void
  body(bytes: Buffer, start: number, end: number): void
  done(): void
  failed(failure: Failure, message: string): void
  readonly hasToken: boolean
}

/** Carries prepared requests to one server over a pool of connections. */
export interface LoadTransport {
  /** Opens the pool before the clock starts; a connection that cannot be opened is tried again by the request that needs it. */
  open(connections: number, signal: AbortSignal): Promise<void>
  /** Sends one request, on a pooled connection when one is free. */
  send(bytes: Buffer, listener: ExchangeListener): void
  /** Hangs up on one that is in flight: its listener hears `cancelled`. */
  cancel(listener: ExchangeListener): void
  /** Breaks off what is in flight: each listener hears `aborted`. */
  abort(): void
  close(): void
}
