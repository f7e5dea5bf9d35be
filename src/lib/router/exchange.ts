import type {Clock} from '../foundation/index.js'
import type {Relayed, RelayFailure} from '../http/index.js'
import type {RouterLimits} from './config/controller-config.js'
import type {Decision, RequestOutcome} from './core/index.js'
import type {Door} from './door.js'
import type {RouteError, RouterObserver} from './parts.js'

/** A request to one model, ready to be sent on. */
export interface RouteRequest {
  readonly method: string
  readonly path: string
  readonly headers: readonly string[]
  readonly body: Buffer | null
  /** Numbers of its prompt's blocks, where routing wants them. */
  readonly hashes: readonly number[]
  readonly session: string | null
  /** The only engines that may be asked, in this order, where a gateway has chosen; empty for any. */
  readonly destinations: readonly string[]
}

/** How a request went its way. */
export interface RouteStory {
  readonly decision: Decision
  readonly attempts: number
  readonly waitedMs: number
}

/** Who gets the answer. */
export interface RouteSink {
  head(status: number, reason: string, headers: string[], story: RouteStory): void
  /** @returns false to be sent nothing more until `resume` */
  data(chunk: Buffer): boolean
  end(): void
  /** @param hasStarted whether `head` was called: then the answer breaks off, else there is none */
  fail(why: RouteError, message: string, hasStarted: boolean): void
}

export interface ExchangeParts {
  readonly door: Door
  readonly limits: RouterLimits
  readonly clock: Clock
  readonly nowMs: () => number
  readonly observer: RouterObserver
}

const FIRST_PAUSE_MS = 25
const LONGEST_PAUSE_MS = 500
const NONE: ReadonlySet<string> = new Set()
/** Answers that say: not now, perhaps somebody else. */
const TRY_ELSEWHERE: ReadonlySet<number> = new Set([502, 503])

/**
 * One request on its way to an engine and back. Until the first byte of an answer it moves to another engine when one fails,
 * or waits for one to come back; after that nothing is sent twice.
 */
export class Exchange {
  readonly #request: RouteRequest
  readonly #sink: RouteSink
  readonly #parts: ExchangeParts
  readonly #waitedMs: number
  readonly #over: (outcome: RequestOutcome) => void
  readonly #startedMs: number
  #tried: ReadonlySet<string> = NONE
  #attempts = 0
  #pauseMs = FIRST_PAUSE_MS
  #relayed: Relayed | null = null
  #url: string | null = null
  #isOver = false
  #pause: AbortController | null = null
  #lastFailure: RelayFailure | null = null

  /** @param over called once, when nothing more happens */
  constructor(
    request: RouteRequest,
    sink: RouteSink,
    parts: ExchangeParts,
    waitedMs: number,
    over: (outcome: RequestOutcome) => void,
  ) {
    this.#request = request
    this.#sink = sink
    this.#parts = parts
    this.#waitedMs = waitedMs
    this.#over = over
    this.#startedMs = parts.nowMs()
    this.#attempt()
  }

  resume(): void {
    this.#relayed?.resume()
  }

  /** The client left: the engine is told at once. */
  cancel(): void {
    if (this.#isOver) return
    this.#relayed?.abort()
    this.#pause?.abort()
    this.#leave('cancelled')
    this.#finish('cancelled')
  }

  #attempt(): void {
    const {door, nowMs, observer} = this.#parts
    const {hashes, session, destinations} = this.#request
    const decision = door.replicas.choose(hashes, session, this.#tried, nowMs(), destinations)
    if (!decision) {
      void this.#waitForEngine()
      return
    }
    this.#attempts++
    this.#url = decision.url
    const sentMs = nowMs()
    let status = 0
    let hasMoved = false
    this.#relayed = door.pool(decision.url).send(this.#request, {
      head: (code, reason, headers) => {
        if (TRY_ELSEWHERE.has(code) && this.#hasOther(decision)) {
          hasMoved = true
          this.#relayed?.abort()
          this.#move(decision.url, {kind: 'broken', message: `${decision.url} answered HTTP ${code}`})
          return
        }
        status = code
        const tookMs = nowMs() - sentMs
        const {waitedMs, attempts} = {waitedMs: this.#waitedMs, attempts: this.#attempts}
        this.#sink.head(code, reason, headers, {decision, attempts, waitedMs})
        observer.firstByte(door.config.name, code, tookMs)
      },
      data: chunk => hasMoved || this.#sink.data(chunk),
      end: () => {
        if (hasMoved) return
        this.#leave(TRY_ELSEWHERE.has(status) ? 'failed' : 'succeeded')
        this.#sink.end()
        this.#finish(status < 400 ? 'succeeded' : 'failed')
      },
      fail: failure => {
        if (hasMoved) return
        if (status > 0) this.#break(failure)
        else if (failure.kind === 'late') this.#giveUp('late', failure.message)
        else if (failure.kind === 'invalid') this.#giveUp('invalid', failure.message)
        else this.#move(decision.url, failure)
      },
    })
    // Counted while the engine works.
    observer.forwarded(door.config.name, decision)
  }

  /** Whether an engine is left that has not been asked. */
  #hasOther(decision: Decision): boolean {
    return decision.candidates.some(({url}) => url !== decision.url && !this.#tried.has(url))
  }

  #move(url: string, failure: RelayFailure): void {
    this.#leave('failed')
    this.#lastFailure = failure
    this.#tried = new Set([...this.#tried, url])
    this.#parts.observer.retried(this.#parts.door.config.name, url, failure.kind)
    this.#attempt()
  }

  /** None may be asked now: all have failed this request, or are known to be gone. */
  async #waitForEngine(): Promise<void> {
    const {clock, limits, nowMs} = this.#parts
    const leftMs = this.#startedMs + limits.retryMs - nowMs()
    if (leftMs <= 0) {
      const why = this.#lastFailure?.message ?? 'none of its engines is there'
      this.#giveUp(this.#lastFailure?.kind ?? 'unreachable', why)
      return
    }
    this.#pause = new AbortController()
    try {
      await clock.sleep(Math.min(this.#pauseMs, leftMs), this.#pause.signal)
    } catch {
      // The client left; `cancel` has done the rest.
      return
    }
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS)
    this.#tried = NONE
    this.#attempt()
  }

  #break({message}: RelayFailure): void {
    this.#leave('failed')
    this.#sink.fail('broken', message, true)
    this.#finish('failed')
  }

  #giveUp(why: RouteError, message: string): void {
    this.#leave(why === 'invalid' ? 'cancelled' : 'failed')
    this.#sink.fail(why, message, false)
    this.#finish('failed')
  }

  #leave(outcome: RequestOutcome): void {
    if (this.#url === null) return
    this.#parts.door.replicas.ended(this.#url, outcome, this.#parts.nowMs())
    this.#url = null
  }

  #finish(outcome: RequestOutcome): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#over(outcome)
  }
}
