import type {RequestRecord} from '../runs/index.js'
import type {BenchPlan} from './bench-plan.js'
import {ExchangeRecorder, type RequestIdentity} from './exchange-recorder.js'
import type {InstrumentMeter} from './instrument.js'
import type {LoadTransport} from './load-transport.js'
import type {PreparedRequest} from './request-builder.js'

/** Requests made ready before the clock starts, bytes; the rest is made between sends. */
const PREPARED_BYTES = 64 * 1024 * 1024
/** A timer may fire a millisecond late; the last one before a send is waited out turn by turn. */
const WAKE_EARLY_MS = 1

export interface LoadLoopParts {
  readonly plan: BenchPlan
  readonly transport: LoadTransport
  readonly build: (id: number) => PreparedRequest
  readonly instrument: InstrumentMeter
  /** `performance.now()` of the run's origin. */
  readonly originMs: number
  onRecord(record: RequestRecord): void
}

/** Totals for a progress line. */
export interface LoadCounts {
  readonly sent: number
  readonly done: number
  readonly failed: number
  readonly inFlight: number
  readonly tokens: number
}

/**
 * Sends a plan's requests. Ids 1 … W are the warm-up, W+1 … W+n the measured ones. The slots of a closed loop go from one
 * to the other while busy; an open loop starts its schedule when the warm-up is done.
 */
export class LoadLoop {
  readonly #parts: LoadLoopParts
  readonly #prepared = new Map<number, PreparedRequest>()
  readonly #freeRecorders: ExchangeRecorder[] = []
  readonly #counts = {sent: 0, done: 0, failed: 0, tokens: 0}
  readonly #lastId: number
  #nextId = 1
  #inFlight = 0
  #isStopped = false
  /** An open loop that has requests left to send. */
  #isSending = false
  /** An open loop that waits for a free place. */
  #isCapped = false
  #timer: NodeJS.Timeout | null = null
  #measureStartMs: number | null = null
  #settle: () => void = () => undefined

  constructor(parts: LoadLoopParts) {
    this.#parts = parts
    this.#lastId = parts.plan.warmupRequests + parts.plan.requests
    let bytes = 0
    for (let id = 1; id <= this.#lastId && bytes < PREPARED_BYTES; id++) {
      const request = parts.build(id)
      bytes += request.bytes.length
      this.#prepared.set(id, request)
    }
  }

  get counts(): LoadCounts {
    return {...this.#counts, inFlight: this.#inFlight}
  }

  /** When the measured phase began, ms since the origin; null while there is only warm-up. */
  get measureStartAtMs(): number | null {
    return this.#measureStartMs === null ? null : this.#measureStartMs - this.#parts.originMs
  }

  /** Settles when every request has its record. After `stop` those in flight are `aborted`, those due and unsent `not_sent`. */
  async run(): Promise<void> {
    const {mode, concurrency, warmupRequests} = this.#parts.plan
    if (mode === 'closed') {
      await this.#runClosed(concurrency, this.#lastId)
    } else {
      await this.#runClosed(Math.min(concurrency, warmupRequests), warmupRequests)
      if (!this.#isStopped) await this.#runOpen(this.#parts.plan.timesMs!)
    }
  }

  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#isSending) this.#skipDue(this.#parts.plan.timesMs!)
    this.#isSending = false
    this.#parts.transport.abort()
    this.#settleIfIdle()
  }

  async #runClosed(slots: number, lastId: number): Promise<void> {
    const next = (): void => {
      const nowMs = performance.now()
      if (this.#isStopped || this.#nextId > lastId || this.#isOver(nowMs)) return
      this.#start(this.#nextId++, nowMs, nowMs, next)
    }
    await new Promise<void>(resolve => {
      this.#settle = resolve
      for (let slot = 0; slot < slots; slot++) next()
      this.#settleIfIdle()
    })
  }

  /** Whether the next request is a measured one of a closed loop whose time is up. */
  #isOver(nowMs: number): boolean {
    const {durationMs, warmupRequests} = this.#parts.plan
    if (this.#nextId <= warmupRequests) return false
    this.#measureStartMs ??= nowMs
    return durationMs !== null && nowMs - this.#measureStartMs >= durationMs
  }

  async #runOpen(timesMs: Float64Array): Promise<void> {
    const startMs = (this.#measureStartMs = performance.now() + 2 * WAKE_EARLY_MS)
    const firstId = this.#nextId
    const pump = (): void => {
      while (!this.#isStopped && this.#nextId <= this.#lastId) {
        const scheduledMs = startMs + timesMs[this.#nextId - firstId]!
        const nowMs = performance.now()
        const waitMs = scheduledMs - nowMs
        if (waitMs > 0) {
          if (waitMs > WAKE_EARLY_MS) this.#timer = setTimeout(pump, waitMs - WAKE_EARLY_MS)
          else setImmediate(pump)
          return
        }
        this.#isCapped = this.#inFlight >= (this.#parts.plan.maxInFlight ?? Infinity)
        if (this.#isCapped) return
        const dueMs = this.#freeSinceMs > scheduledMs ? this.#freeSinceMs : scheduledMs
        this.#start(this.#nextId++, scheduledMs, dueMs, resume)
      }
      this.#isSending = false
      this.#settleIfIdle()
    }
    const resume = (): void => {
      if (!this.#isCapped || this.#isStopped) return
      this.#isCapped = false
      this.#freeSinceMs = performance.now()
      pump()
    }
    this.#isSending = true
    await new Promise<void>(resolve => {
      this.#settle = resolve
      pump()
    })
  }

  /** When the cap last gave a place free: waiting for it is the user's wish, not our lateness. */
  #freeSinceMs = 0

  /** @param dueMs when it could have been sent at the earliest */
  #start(id: number, scheduledMs: number, dueMs: number, onDone: () => void): void {
    const {build, transport, instrument} = this.#parts
    const request = this.#prepared.get(id) ?? build(id)
    this.#prepared.delete(id)
    const recorder = this.#recorder()
    this.#inFlight++
    this.#counts.sent++
    recorder.begin(this.#identityOf(request), scheduledMs, record => {
      this.#inFlight--
      this.#freeRecorders.push(recorder)
      onDone()
      this.#finish(record)
    })
    instrument.late(performance.now() - dueMs)
    transport.send(request.bytes, recorder)
  }

  #identityOf({id, requestId, traceId}: Omit<PreparedRequest, 'bytes'>): RequestIdentity {
    const {warmupRequests, request} = this.#parts.plan
    return {
      id,
      requestId,
      traceId,
      phase: id <= warmupRequests ? 'warmup' : 'measure',
      isStreamed: request.isStreamed,
    }
  }

  #recorder(): ExchangeRecorder {
    const {originMs, instrument} = this.#parts
    return this.#freeRecorders.pop() ?? new ExchangeRecorder({originMs, tokenRead: instrument.tokenRead})
  }

  #finish(record: RequestRecord): void {
    if (record.outcome === 'ok') this.#counts.done++
    else this.#counts.failed++
    this.#counts.tokens += record.completionTokens ?? 0
    this.#parts.onRecord(record)
    this.#settleIfIdle()
  }

  #skipDue(timesMs: Float64Array): void {
    const nowMs = performance.now()
    const firstId = this.#lastId - timesMs.length + 1
    for (; this.#nextId <= this.#lastId; this.#nextId++) {
      const scheduledMs = this.#measureStartMs! + timesMs[this.#nextId - firstId]!
      if (scheduledMs > nowMs) break
      const recorder = this.#recorder()
      const request = this.#prepared.get(this.#nextId) ?? this.#parts.build(this.#nextId)
      recorder.begin(this.#identityOf(request), scheduledMs, record => this.#parts.onRecord(record))
      recorder.failed('not_sent', 'the run was stopped before it could be sent')
    }
  }

  #settleIfIdle(): void {
    if (this.#inFlight === 0 && !this.#isSending) this.#settle()
  }
}
