import {mixBits} from '../foundation/index.js'
import {isFailure, type RequestRecord} from '../runs/index.js'
import {slotStages, type SlotStage} from './arrivals.js'
import type {BenchPlan} from './bench-plan.js'
import {ExchangeRecorder, type AnswerTexts, type RequestIdentity} from './exchange-recorder.js'
import type {InstrumentMeter} from './instrument.js'
import type {LoadTransport} from './load-transport.js'
import type {PreparedRequest, RequestBuilder} from './request-builder.js'
import {idsIn, type SendList} from './send-list.js'

/** Requests made ready before the clock starts: so many, or so many bytes of them; the rest is made between sends. */
const [PREPARED, PREPARED_BYTES] = [2048, 8 * 1024 * 1024]
/** A timer may fire a millisecond late; the last one before a send is waited out turn by turn. */
const WAKE_EARLY_MS = 1

export interface LoadLoopParts {
  readonly plan: BenchPlan
  readonly list: SendList
  /** By `PreparedRequest.target`. */
  readonly transports: readonly LoadTransport[]
  readonly builder: RequestBuilder
  /** How long a turn waits after the answer before it. */
  readonly delayMs: (id: number) => number
  readonly instrument: InstrumentMeter
  /** Open loop: called when the warm-up is done. @returns `performance.now()` at which the schedule starts */
  whenAllAreWarm(): Promise<number>
  onRecord(record: RequestRecord, texts: AnswerTexts): void
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
 * Sends a list of requests. The slots of a closed loop go from warm-up to measured ones while busy; an open loop starts its
 * schedule when the warm-up is done.
 */
export class LoadLoop {
  readonly #parts: LoadLoopParts
  readonly #prepared = new Map<number, PreparedRequest>()
  readonly #freeRecorders: ExchangeRecorder[] = []
  readonly #counts = {sent: 0, done: 0, failed: 0, tokens: 0}
  /** Place in the list of the next request to send. */
  #next = 0
  #inFlight = 0
  /** Begun and not at their end: one in each place, also while it waits for its next turn. */
  #openSessions = 0
  /** Sessions between two turns. */
  #thinking = 0
  #isStopped = false
  /** An open loop that has requests left to send. */
  #isSending = false
  /** An open loop that waits for a free place. */
  #isCapped = false
  #timer: NodeJS.Timeout | null = null
  #originMs = 0
  #measureStartMs: number | null = null
  #settle: () => void = () => undefined

  constructor(parts: LoadLoopParts) {
    this.#parts = parts
    let bytes = 0
    for (const id of idsIn(parts.list)) {
      if (bytes >= PREPARED_BYTES || this.#prepared.size >= PREPARED) break
      if (!parts.builder.isKnown(id)) continue
      const request = parts.builder.build(id)
      bytes += request.bytes.length
      this.#prepared.set(id, request)
    }
  }

  get counts(): LoadCounts {
    return {...this.#counts, inFlight: this.#inFlight}
  }

  /** When the measured phase began, ms since the origin; null while there is only warm-up. */
  get measureStartAtMs(): number | null {
    return this.#measureStartMs === null ? null : this.#measureStartMs - this.#originMs
  }

  /**
   * Settles when every request has its record. After `stop` those in flight are `aborted`, those due and unsent `not_sent`.
   *
   * @param originMs `performance.now()` of the run's origin
   */
  async run(originMs: number): Promise<void> {
    const {plan, list} = this.#parts
    this.#originMs = originMs
    const stages = slotStages(plan.options.stages)
    if (plan.userGapMs !== null) {
      await this.#runClosed(Math.min(plan.concurrency, list.warmups), list.warmups)
      if (!this.#isStopped) await this.#runUsers(plan.userGapMs)
    } else if (stages.length > 0) {
      await this.#runStages(stages, list.ids.length)
    } else if (list.timesMs === null) {
      await this.#runClosed(plan.concurrency, list.ids.length)
    } else {
      await this.#runClosed(Math.min(plan.concurrency, list.warmups), list.warmups)
      if (!this.#isStopped) await this.#runOpen(list.timesMs, await this.#parts.whenAllAreWarm())
    }
  }

  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#isSending) this.#skipDue(this.#parts.list.timesMs!)
    this.#isSending = false
    for (const transport of this.#parts.transports) transport.abort()
    this.#settleIfIdle()
  }

  /** @param end place in the list before which it stops */
  async #runClosed(slots: number, end: number): Promise<void> {
    const next = (): void => {
      const nowMs = performance.now()
      if (this.#isStopped || this.#next >= end || this.#isOver(nowMs)) return
      this.#begin(nowMs, nowMs, next)
    }
    const {rampUpMs} = this.#parts.plan.options
    await new Promise<void>(resolve => {
      this.#settle = resolve
      const startMs = performance.now()
      for (let slot = 0; slot < slots; slot++) this.#later(startMs + (slot * rampUpMs) / slots, next)
      this.#settleIfIdle()
    })
  }

  /**
   * A closed loop whose slots change in number: what is too many ends with its answer, what is missing begins at once. The
   * warm-up has the slots of the first stage.
   *
   * @param end place in the list before which it stops
   */
  async #runStages(stages: readonly SlotStage[], end: number): Promise<void> {
    let [open, wanted] = [0, stages[0]!.concurrency]
    let isFollowed = false
    const fill = (): void => {
      const missing = Math.max(0, wanted - open)
      open += missing
      for (let slot = 0; slot < missing; slot++) next()
    }
    const follow = (startMs: number): void => {
      const totalMs = stages.reduce((sum, {seconds}) => sum + seconds * 1000, 0)
      // A resumed run has what is left of the stages.
      let atMs = startMs - (totalMs - (this.#parts.list.durationMs ?? totalMs))
      for (const {concurrency, seconds} of stages) {
        if (atMs <= startMs) wanted = concurrency
        else {
          this.#later(atMs, () => {
            wanted = concurrency
            fill()
          })
        }
        atMs += seconds * 1000
      }
      fill()
    }
    const next = (): void => {
      const nowMs = performance.now()
      const isOver = this.#isStopped || this.#next >= end || this.#isOver(nowMs)
      if (!isFollowed && this.#measureStartMs !== null) {
        isFollowed = true
        follow(this.#measureStartMs)
      }
      if (isOver || open > wanted) open--
      else this.#begin(nowMs, nowMs, next)
    }
    await new Promise<void>(resolve => {
      this.#settle = resolve
      fill()
      this.#settleIfIdle()
    })
  }

  /** Each user begins at its own moment of the first gap, so that together they send at the wanted rate from the start. */
  async #runUsers(gapMs: number): Promise<void> {
    const {list, plan} = this.#parts
    const {first, step, of} = plan.users
    const user = (dueMs: number): void => {
      const nowMs = performance.now()
      if (this.#isStopped || this.#next >= list.ids.length || this.#isOver(nowMs)) return
      this.#begin(dueMs, dueMs, lastMs => this.#later(Math.max(lastMs + gapMs, performance.now()), user))
    }
    await new Promise<void>(resolve => {
      this.#settle = resolve
      const startMs = performance.now()
      for (let place = first; place < of; place += step) this.#later(startMs + (place * gapMs) / of, user)
      this.#settleIfIdle()
    })
  }

  /** Acts at an instant that it is given; until then the run is not over. */
  #later(atMs: number, act: (atMs: number) => void): void {
    this.#thinking++
    this.#at(atMs, () => {
      this.#thinking--
      act(atMs)
      this.#settleIfIdle()
    })
  }

  /** Begins the next session of the list. @param onDone gets the time for which its last turn was scheduled */
  #begin(scheduledMs: number, dueMs: number, onDone: (lastMs: number) => void): void {
    const {ids, turns} = this.#parts.list
    const place = this.#next++
    this.#openSessions++
    const end = (lastMs: number): void => {
      this.#openSessions--
      onDone(lastMs)
    }
    this.#turn(ids[place]!, turns?.[place] ?? 1, scheduledMs, dueMs, end)
  }

  /** Sends one turn, and after its answer and a pause the next. */
  #turn(
    id: number,
    left: number,
    scheduledMs: number,
    dueMs: number,
    onDone: (lastMs: number) => void,
  ): void {
    const {plan, delayMs} = this.#parts
    this.#start(id, scheduledMs, dueMs, () => {
      if (left === 1 || this.#isStopped) {
        onDone(scheduledMs)
        return
      }
      const pausedMs = performance.now() + delayMs(id + 1)
      // A user's turns keep the user's pace too.
      const nextMs = plan.userGapMs === null ? pausedMs : Math.max(pausedMs, scheduledMs + plan.userGapMs)
      this.#thinking++
      this.#at(nextMs, () => {
        this.#thinking--
        if (this.#isStopped || this.#isTimeUp(nextMs)) {
          onDone(scheduledMs)
          this.#settleIfIdle()
        } else {
          this.#turn(id + 1, left - 1, nextMs, nextMs, onDone)
        }
      })
    })
  }

  /** Acts at an instant: a timer until shortly before, then turn by turn. */
  #at(atMs: number, act: () => void): void {
    const waitMs = atMs - performance.now()
    if (waitMs <= 0 || this.#isStopped) act()
    else if (waitMs <= WAKE_EARLY_MS) setImmediate(() => this.#at(atMs, act))
    else setTimeout(() => this.#at(atMs, act), waitMs - WAKE_EARLY_MS)
  }

  /** Whether the next request is a measured one of a closed loop whose time is up. */
  #isOver(nowMs: number): boolean {
    const {warmups} = this.#parts.list
    if (this.#next < warmups) return false
    this.#measureStartMs ??= nowMs
    return this.#isTimeUp(nowMs)
  }

  #isTimeUp(nowMs: number): boolean {
    const {durationMs} = this.#parts.list
    return durationMs !== null && this.#measureStartMs !== null && nowMs - this.#measureStartMs >= durationMs
  }

  async #runOpen(timesMs: Float64Array, startMs: number): Promise<void> {
    this.#measureStartMs = startMs
    const {ids, warmups} = this.#parts.list
    const pump = (): void => {
      while (!this.#isStopped && this.#next < ids.length) {
        const scheduledMs = startMs + timesMs[this.#next - warmups]!
        const nowMs = performance.now()
        const waitMs = scheduledMs - nowMs
        if (waitMs > 0) {
          if (waitMs > WAKE_EARLY_MS) this.#timer = setTimeout(pump, waitMs - WAKE_EARLY_MS)
          else setImmediate(pump)
          return
        }
        this.#isCapped = this.#openSessions >= (this.#parts.plan.maxInFlight ?? Infinity)
        if (this.#isCapped) return
        const dueMs = this.#freeSinceMs > scheduledMs ? this.#freeSinceMs : scheduledMs
        this.#begin(scheduledMs, dueMs, resume)
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
    const {builder, transports, instrument} = this.#parts
    const request = this.#prepared.get(id) ?? builder.build(id)
    this.#prepared.delete(id)
    const recorder = this.#recorder()
    this.#inFlight++
    this.#counts.sent++
    let hangUp: NodeJS.Timeout | undefined
    recorder.begin(this.#identityOf(request), scheduledMs, (record, texts) => {
      clearTimeout(hangUp)
      if (texts.said !== null) builder.answered(id, texts.said)
      this.#inFlight--
      this.#freeRecorders.push(recorder)
      onDone()
      this.#finish(record, texts)
    })
    instrument.late(performance.now() - dueMs)
    const transport = transports[request.target]!
    transport.send(request.bytes, recorder)
    const {cancelAfterMs} = this.#parts.plan.options
    if (this.#hangsUp(id)) hangUp = setTimeout(() => transport.cancel(recorder), cancelAfterMs)
  }

  /** A fixed choice of the measured requests, whoever sends them. */
  #hangsUp(id: number): boolean {
    const {warmupRequests, promptSeed, options} = this.#parts.plan
    const drawn = (mixBits(promptSeed ^ mixBits(id)) >>> 0) / 2 ** 32
    return id > warmupRequests && drawn < options.cancelShare
  }

  #identityOf({id, requestId, traceId, session, turn, target}: PreparedRequest): RequestIdentity {
    const {warmupRequests, request} = this.#parts.plan
    return {
      id,
      requestId,
      traceId,
      phase: id <= warmupRequests ? 'warmup' : 'measure',
      session,
      turn,
      server: target,
      isStreamed: request.isStreamed,
      keepsText: this.#parts.builder.isRepeated(id),
      keepsGenerated: request.tokenizer !== null,
    }
  }

  #recorder(): ExchangeRecorder {
    const {instrument} = this.#parts
    return this.#freeRecorders.pop() ?? new ExchangeRecorder({originMs: this.#originMs, instrument})
  }

  #finish(record: RequestRecord, texts: AnswerTexts): void {
    if (isFailure(record.outcome)) this.#counts.failed++
    else this.#counts.done++
    this.#counts.tokens += record.completionTokens ?? 0
    this.#parts.onRecord(record, texts)
    this.#settleIfIdle()
  }

  #skipDue(timesMs: Float64Array): void {
    const nowMs = performance.now()
    const {ids, warmups} = this.#parts.list
    while (this.#next < ids.length) {
      const scheduledMs = this.#measureStartMs! + timesMs[this.#next - warmups]!
      if (scheduledMs > nowMs) break
      const id = ids[this.#next++]!
      const recorder = this.#recorder()
      const request = this.#prepared.get(id) ?? this.#parts.builder.build(id)
      recorder.begin(this.#identityOf(request), scheduledMs, (record, texts) =>
        this.#parts.onRecord(record, texts),
      )
      recorder.failed('not_sent', 'the run was stopped before it could be sent')
    }
  }

  #settleIfIdle(): void {
    if (this.#inFlight > 0 || this.#isSending) return
    // Whoever is still to come finds nothing to send.
    const isDone = this.#isStopped || (this.#openSessions === 0 && this.#next >= this.#parts.list.ids.length)
    if (this.#thinking === 0 || isDone) this.#settle()
  }
}
