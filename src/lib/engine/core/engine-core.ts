import {ConfigurationError} from '../../foundation/index.js'
import type {FinishedRequest, FinishReason, GenerationEnd, GenerationRequest} from './generation.js'
import type {BlockSource, ModelRunner, ScheduledWork, StepTimer} from './ports.js'
import {Scheduler, type SchedulerOptions} from './scheduler.js'
import {Sequence} from './sequence.js'

export interface EngineCoreOptions extends SchedulerOptions {
  /** Ends a sequence unless it ignores it; null when the vocabulary has none. */
  readonly eosTokenId: number | null
}

/** What happened, in order. */
export type EngineEvent =
  | {
      readonly type: 'token'
      readonly id: string
      readonly token: number
      readonly isFirst: boolean
      /** Since arrival for the first token, since the token before for the others. */
      readonly sinceNs: number
    }
  | {
      readonly type: 'finished'
      readonly id: string
      readonly end: GenerationEnd
      readonly summary: FinishedRequest
    }
  | {readonly type: 'preempted'; readonly id: string}
  | {readonly type: 'cached'; readonly id: string; readonly tokens: number}
  | {readonly type: 'step'; readonly scheduledTokens: number; readonly modelledNs: number}

export interface StepOutcome {
  readonly events: readonly EngineEvent[]
  /** When the next call has something to do; Infinity when only new work can change that. */
  readonly nextDeadlineNs: number
}

/** Totals since start. */
export interface CoreTotals {
  readonly steps: number
  readonly promptTokens: number
  readonly promptTokensCached: number
  readonly generationTokens: number
  /** Sum of how long the steps should have taken. */
  readonly modelledNs: number
  /** Sum of how long they took by the clock. */
  readonly achievedNs: number
}

/** Which requests a step may take up: all, none but those preempted, or none at all, not even the running ones. */
export type Admission = 'open' | 'draining' | 'closed'

/** A machine that cannot keep up, or slept, is not made to catch up with more than this. */
const MAX_CATCH_UP_NS = 100e6

/**
 * A continuously batching engine without I/O: it is told the time and answers with what happened and when to call again.
 * A step's bytes are computed when it is scheduled and its tokens come out at its deadline; deadlines follow each other
 * absolutely, so that lateness of one call does not add up.
 */
export class EngineCore {
  readonly scheduler: Scheduler
  admission: Admission = 'open'
  /** Called with every sequence that ends, while its blocks still hold its KV. */
  beforeRelease: ((sequence: Sequence) => void) | null = null
  readonly #options: EngineCoreOptions
  readonly #runner: ModelRunner
  readonly #timer: StepTimer
  readonly #sequences = new Map<string, Sequence>()
  /** Waiting for what somebody loads for them. */
  readonly #held = new Set<Sequence>()
  /** Not yet with the scheduler, in order of arrival. */
  readonly #ingress: Sequence[] = []
  #inFlight: {
    batch: readonly ScheduledWork[]
    tokens: ArrayLike<number>
    startedNs: number
    deadlineNs: number
  } | null = null
  #pending: EngineEvent[] = []
  #arrivals = 0
  #totals = {
    steps: 0,
    promptTokens: 0,
    promptTokensCached: 0,
    generationTokens: 0,
    modelledNs: 0,
    achievedNs: 0,
  }

  constructor(source: BlockSource, runner: ModelRunner, timer: StepTimer, options: EngineCoreOptions) {
    checkOptions(source, options)
    this.#options = options
    this.#runner = runner
    this.#timer = timer
    this.scheduler = new Scheduler(source, options)
  }

  get totals(): CoreTotals {
    return this.#totals
  }

  /** Waiting for admission, those still on their way to the scheduler included. */
  get waitingCount(): number {
    return this.scheduler.waiting.length + this.#ingress.length + this.#held.size
  }

  /** A step is under way, or sequences run. */
  get isBusy(): boolean {
    return this.#inFlight !== null || this.scheduler.running.length > 0
  }

  /** Unfinished sequences in order of arrival. */
  sequences(): Iterable<Sequence> {
    return this.#sequences.values()
  }

  sequence(id: string): Sequence | null {
    return this.#sequences.get(id) ?? null
  }

  /**
   * Takes a request; it starts in a later {@link step}.
   *
   * @param isHeld whether it starts only after {@link admit}
   * @throws ConfigurationError for what can never run
   */
  add(request: GenerationRequest, nowNs: number, isHeld = false): void {
    this.#check(request)
    const sequence = new Sequence(request, this.#arrivals++, nowNs)
    this.#sequences.set(request.id, sequence)
    if (isHeld) this.#held.add(sequence)
    else this.#enter(sequence)
  }

  /** Lets a held request start; nothing happens where it has ended. */
  admit(id: string): void {
    const sequence = this.#sequences.get(id)
    if (sequence !== undefined && this.#held.delete(sequence)) this.#enter(sequence)
  }

  /** Ends a request at once; the event comes with the next {@link step}. @returns false when there is none such */
  abort(id: string, nowNs: number, reason: 'abort' | 'stop' = 'abort'): boolean {
    const sequence = this.#sequences.get(id)
    if (!sequence) return false
    this.#held.delete(sequence)
    const index = this.#ingress.indexOf(sequence)
    if (index >= 0) this.#ingress.splice(index, 1)
    this.#finish(sequence, reason, null, nowNs, this.#pending)
    return true
  }

  /** Events that no step has carried yet. */
  takePending(): readonly EngineEvent[] {
    const events = this.#pending
    this.#pending = []
    return events
  }

  /** Takes every running sequence's blocks away; the step under way is lost and computed again later. */
  preemptAll(): void {
    this.#inFlight = null
    for (const {id} of this.scheduler.preemptAll()) this.#pending.push({type: 'preempted', id})
  }

  /** Blocks were copied to other ids; see {@link Scheduler.relocate}. */
  relocate(moves: readonly {readonly from: number; readonly to: number}[]): void {
    this.scheduler.relocate(moves)
  }

  /** Completes the step under way when its time has come, then schedules and computes the next. */
  step(nowNs: number): StepOutcome {
    const events = [...this.takePending()]
    let startNs = nowNs
    if (this.#inFlight) {
      const {deadlineNs} = this.#inFlight
      if (nowNs < deadlineNs) return {events, nextDeadlineNs: deadlineNs}
      this.#complete(nowNs, events)
      startNs = Math.max(deadlineNs, nowNs - MAX_CATCH_UP_NS)
    }
    this.#admitArrived(nowNs)
    if (this.admission === 'closed') return {events, nextDeadlineNs: Infinity}
    const batch = this.#schedule(nowNs, events)
    if (batch.length === 0) return {events, nextDeadlineNs: this.#nextArrivalNs()}
    const tokens = this.#runner.run(batch)
    const modelledNs = this.#timer.stepNs(batch)
    const scheduledTokens = batch.reduce((sum, work) => sum + work.newTokens, 0)
    this.#totals.steps++
    this.#totals.modelledNs += modelledNs
    events.push({type: 'step', scheduledTokens, modelledNs})
    this.#inFlight = {batch, tokens, startedNs: nowNs, deadlineNs: startNs + modelledNs}
    return {events, nextDeadlineNs: this.#inFlight.deadlineNs}
  }

  #schedule(nowNs: number, events: EngineEvent[]): readonly ScheduledWork[] {
    for (;;) {
      const {batch, preempted, admitted} = this.scheduler.schedule(this.admission === 'draining')
      for (const {id} of preempted) events.push({type: 'preempted', id})
      for (const sequence of admitted) {
        sequence.firstScheduledNs = nowNs
        events.push({type: 'cached', id: sequence.id, tokens: sequence.cachedTokens ?? 0})
      }
      // Preemption forbids admission in the same round; when it also emptied the batch, the next round has to follow.
      if (batch.length > 0 || preempted.length === 0) return batch
    }
  }

  #complete(nowNs: number, events: EngineEvent[]): void {
    const {batch, tokens, startedNs} = this.#inFlight!
    this.#inFlight = null
    this.#totals.achievedNs += nowNs - startedNs
    batch.forEach(({sequence, samples}, index) => {
      if (samples && sequence.status === 'running') this.#emit(sequence, tokens[index]!, nowNs, events)
    })
  }

  #emit(sequence: Sequence, token: number, nowNs: number, events: EngineEvent[]): void {
    const isFirst = sequence.firstTokenNs === null
    const sinceNs = nowNs - (isFirst ? sequence.arrivalNs : sequence.lastTokenNs!)
    if (isFirst) {
      sequence.firstTokenNs = nowNs
      this.#totals.promptTokens += sequence.promptLength
      this.#totals.promptTokensCached += sequence.cachedTokens ?? 0
    }
    sequence.lastTokenNs = nowNs
    sequence.tokens.push(token)
    this.#totals.generationTokens++
    events.push({type: 'token', id: sequence.id, token, isFirst, sinceNs})
    const stop = this.#stopOf(sequence, token)
    if (stop) this.#finish(sequence, stop.reason, stop.stopTokenId, nowNs, events)
  }

  /** @see vllm-project/vllm:vllm/v1/core/sched/utils.py — the order of the checks */
  #stopOf(
    {request, generatedTokens, tokens}: Sequence,
    token: number,
  ): {reason: FinishReason; stopTokenId: number | null} | null {
    if (generatedTokens >= request.minTokens) {
      if (token === this.#options.eosTokenId && !request.ignoreEos) return {reason: 'stop', stopTokenId: null}
      if (request.stopTokenIds.includes(token)) return {reason: 'stop', stopTokenId: token}
    }
    const isFull = tokens.length >= this.#options.maxModelLen || generatedTokens >= request.maxTokens
    return isFull ? {reason: 'length', stopTokenId: null} : null
  }

  #finish(
    sequence: Sequence,
    reason: FinishReason,
    stopTokenId: number | null,
    nowNs: number,
    events: EngineEvent[],
  ): void {
    if (sequence.computedTokens > 0) this.beforeRelease?.(sequence)
    this.scheduler.remove(sequence)
    this.#sequences.delete(sequence.id)
    events.push({
      type: 'finished',
      id: sequence.id,
      end: {reason, stopTokenId, cachedTokens: sequence.cachedTokens ?? 0, message: null},
      summary: summarize(sequence, reason, nowNs),
    })
  }

  /** Held ones come late, so the order of arrival has to be kept. */
  #enter(sequence: Sequence): void {
    if (this.#timer.ingressNs === 0) {
      this.scheduler.waiting.add(sequence)
      return
    }
    const behind = this.#ingress.findLastIndex(({arrivalNs}) => arrivalNs <= sequence.arrivalNs)
    this.#ingress.splice(behind + 1, 0, sequence)
  }

  #admitArrived(nowNs: number): void {
    while (this.#nextArrivalNs() <= nowNs) this.scheduler.waiting.add(this.#ingress.shift()!)
  }

  #nextArrivalNs(): number {
    const next = this.#ingress[0]
    return next ? next.arrivalNs + this.#timer.ingressNs : Infinity
  }

  #check(request: GenerationRequest): void {
    const {maxModelLen, policy} = this.#options
    const length = request.promptTokens.length
    if (this.#sequences.has(request.id)) throw impossible(`request '${request.id}' is already running`)
    if (length === 0) throw impossible('the prompt has no tokens')
    if (request.maxTokens < 1) throw impossible(`max_tokens is ${request.maxTokens}; at least 1 is needed`)
    if (length >= maxModelLen) {
      throw impossible(`the prompt has ${length} tokens; the model's context holds ${maxModelLen}`)
    }
    if (request.priority !== 0 && policy !== 'priority') {
      throw impossible('a priority needs the priority scheduling policy')
    }
    if (!this.#options.enableChunkedPrefill && length > this.#options.maxNumBatchedTokens) {
      throw impossible(`the prompt has ${length} tokens; a step holds ${this.#options.maxNumBatchedTokens}`)
    }
  }
}

function impossible(message: string): ConfigurationError {
  return new ConfigurationError('REQUEST_INVALID', message)
}

function checkOptions(source: BlockSource, options: EngineCoreOptions): void {
  const refuse = (message: string): never => {
    throw new ConfigurationError('ENGINE_OPTIONS_INVALID', message)
  }
  const {maxModelLen, blockSize, maxNumBatchedTokens, maxNumSeqs} = options
  const poolTokens = (source.numBlocks - 1) * blockSize
  if (!(maxNumSeqs >= 1)) refuse(`max_num_seqs is ${maxNumSeqs}; at least 1 is needed`)
  if (!(maxModelLen >= 2)) refuse(`max_model_len is ${maxModelLen}; at least 2 is needed`)
  if (maxModelLen > poolTokens) {
    refuse(`max_model_len is ${maxModelLen}, but ${source.numBlocks} blocks hold ${poolTokens} tokens`)
  }
  if (maxNumBatchedTokens < maxNumSeqs) {
    refuse(`max_num_batched_tokens is ${maxNumBatchedTokens}, less than max_num_seqs, ${maxNumSeqs}`)
  }
  if (!options.enableChunkedPrefill && maxNumBatchedTokens < maxModelLen) {
    refuse(`without chunked prefill max_num_batched_tokens must be at least max_model_len, ${maxModelLen}`)
  }
}

function summarize(sequence: Sequence, reason: FinishReason, nowNs: number): FinishedRequest {
  const {arrivalNs, firstScheduledNs, firstTokenNs, lastTokenNs} = sequence
  const seconds = (fromNs: number | null, toNs: number | null): number | null =>
    fromNs === null || toNs === null ? null : (toNs - fromNs) / 1e9
  return {
    reason,
    promptTokens: sequence.promptLength,
    cachedTokens: sequence.cachedTokens ?? 0,
    generatedTokens: sequence.generatedTokens,
    maxTokens: sequence.request.maxTokens,
    preemptions: sequence.preemptions,
    queueSeconds: seconds(arrivalNs, firstScheduledNs),
    prefillSeconds: seconds(firstScheduledNs, firstTokenNs),
    decodeSeconds: seconds(firstTokenNs, lastTokenNs),
    inferenceSeconds: seconds(firstScheduledNs, lastTokenNs),
    e2eSeconds: (nowNs - arrivalNs) / 1e9,
  }
}
