import {ResourceError, VirtualClock} from '../foundation/index.js'
import type {EngineCore, EngineEvent} from './core/engine-core.js'
import {kvBytesPerToken} from './core/catalog/model-shape.js'
import type {KvMemory} from './kv-memory.js'
import {slotsOf, type KvTiers} from './kv-tiers.js'
import {EnginePagedKv} from './paged-kv.js'
import type {PagedKv} from '../tiers/index.js'
import {Sleeper} from './sleeper.js'
import {tidyMemory} from './tidy-memory.js'
import type {EngineOptions} from './options.js'
import type {
  ByteTarget,
  Engine,
  EngineObserver,
  EngineState,
  EngineStats,
  GenerationRequest,
  PauseMode,
  SleepLevel,
  SleepTag,
  Submission,
  TokenSink,
} from './types.js'
import type {UsagePublisher} from '../elastic/index.js'

/** How long one turn of the event loop may be spent on steps. */
const TURN_MS = 4
/** After so long housekeeping takes no further page, which costs up to 3 ms: a step waits 5 ms at most. */
const SLICE_MS = 2
/** How often a queue is looked at that waits for room from outside: a higher limit, or memory of the machine. */
const RETRY_MS = 100

/** The parts that {@link EmbeddedEngine} drives. */
export interface EngineParts {
  readonly core: EngineCore
  readonly memory: KvMemory
  readonly publisher: UsagePublisher
}

/** Drives an {@link EngineCore} on a clock, hands out what it says, and keeps its memory within the segment's limit. */
export class EmbeddedEngine implements Engine {
  readonly maxModelLen: number
  readonly segment: string | null
  readonly #options: EngineOptions
  readonly #core: EngineCore
  readonly #memory: KvMemory
  readonly #publisher: UsagePublisher
  readonly #sleeper: Sleeper
  readonly #sinks = new Map<string, TokenSink>()
  readonly #observers: EngineObserver[] = []
  #tiers: KvTiers | null = null
  #timer: NodeJS.Timeout | NodeJS.Immediate | null = null
  #nextDeadlineNs = Infinity
  #state: 'open' | 'failed' | 'closed' = 'open'

  constructor(parts: EngineParts, options: EngineOptions) {
    this.maxModelLen = options.maxModelLen
    this.segment = options.segment?.name ?? null
    this.#options = options
    this.#core = parts.core
    this.#memory = parts.memory
    this.#publisher = parts.publisher
    this.#sleeper = new Sleeper({
      core: parts.core,
      memory: parts.memory,
      logger: options.logger,
      abortAll: () => this.#abortAll(),
      runSoon: () => this.#runSoon(),
    })
    this.#runSoon()
  }

  get isServing(): boolean {
    return this.#state === 'open'
  }

  submit(request: GenerationRequest, sink: TokenSink): Submission {
    if (this.#state !== 'open') throw this.#closedError()
    // What has a salt is not to be shared with anybody.
    const tiers = request.cacheSalt === null ? this.#tiers : null
    this.#core.add(request, this.#options.clock.nowNs(), tiers !== null)
    this.#sinks.set(request.id, sink)
    if (tiers !== null) void this.#loadThenAdmit(tiers, request)
    else if (this.#nextDeadlineNs === Infinity) this.#runSoon()
    return {
      abort: reason => {
        if (this.#sinks.get(request.id) !== sink) return
        this.#core.abort(request.id, this.#options.clock.nowNs(), reason)
        this.#runSoon()
      },
    }
  }

  observe(observer: EngineObserver): void {
    this.#observers.push(observer)
  }

  get pagedKv(): PagedKv {
    return new EnginePagedKv(this.#memory)
  }

  attachTiers(tiers: KvTiers): void {
    const {blockSize} = this.#options
    this.#tiers = tiers
    this.#core.beforeRelease = ({request, blocks, tokens, computedTokens, promptLength}) => {
      if (request.cacheSalt !== null) return
      const slots = slotsOf(blocks, blockSize).slice(0, computedTokens)
      tiers.store(tokens.slice(0, computedTokens), promptLength, slots)
    }
  }

  lookup(promptTokens: readonly number[], cacheSalt: string | null): number {
    return this.#core.scheduler.lookup(promptTokens, cacheSalt)
  }

  resetPrefixCache(preemptsRunning: boolean): boolean {
    if (preemptsRunning) this.#core.preemptAll()
    const isReset = this.#core.scheduler.pool.resetPrefixes()
    this.#runSoon()
    return isReset
  }

  async sleep(level: SleepLevel, mode: PauseMode): Promise<void> {
    if (this.#state !== 'open') throw this.#closedError()
    return this.#sleeper.sleep(level, mode)
  }

  wakeUp(tags: readonly SleepTag[] | null): void {
    if (this.#state !== 'open') throw this.#closedError()
    this.#sleeper.wake(tags)
  }

  stats(): EngineStats {
    const {scheduler, totals} = this.#core
    const {isSleeping, isPaused, series} = this.#sleeper.state
    return {
      running: scheduler.running.length,
      waiting: this.#core.waitingCount,
      kvCacheUsage: scheduler.pool.usage,
      numBlocks: this.#options.numBlocks,
      blockSize: this.#options.blockSize,
      preemptions: scheduler.preemptions,
      promptTokens: totals.promptTokens,
      promptTokensCached: totals.promptTokensCached,
      generationTokens: totals.generationTokens,
      prefixCacheQueries: scheduler.prefixQueries,
      prefixCacheHits: scheduler.prefixHits,
      isSleeping,
      isPaused,
      sleepState: series,
    }
  }

  state(): EngineState {
    const {numBlocks, blockSize, timing, pace} = this.#options
    const {pool} = this.#core.scheduler
    const {totals} = this.#core
    const {manager, reservation} = this.#memory
    const counts = pool.counts
    const shape = timing.mode === 'roofline' ? timing : null
    const modelledBytesPerBlock =
      shape === null ? null : blockSize * kvBytesPerToken(shape.model, shape.kvBytes, shape.tensorParallel)
    return {
      steps: {count: totals.steps, modelledMs: totals.modelledNs / 1e6, achievedMs: totals.achievedNs / 1e6},
      requests: this.#requestStates(),
      pool: {
        blockSize,
        totalBlocks: counts.total,
        usedBlocks: counts.used,
        cachedFreeBlocks: counts.cachedFree,
        emptyBlocks: counts.empty,
        capacityBlocks: pool.capacity,
        evictions: pool.evictions,
      },
      memory: {
        limitBytes: this.#publisher.limitBytes() ?? manager.startupBytes,
        startupBytes: manager.startupBytes,
        usedBytes: this.#publisher.usedBytes,
        preallocatedBytes: this.#publisher.preallocatedBytes,
        residentBytes: reservation.residentBytes(),
        pageBytes: manager.pageBundleBytes,
        bytesPerBlock: this.#memory.bytesPerBlock,
        isShrinking: manager.shrinkState().inShrink,
        movedBlocks: this.#memory.movedBlocks,
      },
      kvPool: this.#memory.snapshot,
      timing: {
        mode: timing.mode,
        speedup: pace.speedup,
        jitter: pace.jitter,
        model: shape?.model.name ?? null,
        gpu: shape?.gpu.name ?? null,
      },
      modelledPoolBytes: modelledBytesPerBlock === null ? null : modelledBytesPerBlock * numBlocks,
      modelledBytesPerBlock,
      segment: this.segment,
    }
  }

  flipByte(target: ByteTarget): void {
    const {bytesPerBlock, reservation} = this.#memory
    const offset = [this.#blockOf(target) * bytesPerBlock + (target.offset % bytesPerBlock)]
    const byte = new Uint8Array(1)
    reservation.gather(offset, 1, 1, byte)
    byte[0]! ^= 0xff
    reservation.scatter(offset, 1, 1, byte)
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#cancelTimer()
    this.#sleeper.close()
    this.#abortAll()
    this.#deliver(this.#core.takePending())
    await this.#publisher.close()
    this.#memory.reservation.release()
  }

  removeSync(): void {
    this.#publisher.remove()
  }

  /** The limit changed: obey it now unless a step is under way, whose end is soon enough. */
  limitChanged(): void {
    if (this.#nextDeadlineNs === Infinity) this.#runSoon()
  }

  /** Loads the part of a prompt that is stored and not in the prefix cache into it; the request starts in any case. */
  async #loadThenAdmit(tiers: KvTiers, {id, promptTokens}: GenerationRequest): Promise<void> {
    try {
      const loaded = await tiers.load(promptTokens, this.lookup(promptTokens, null))
      if (loaded !== null) {
        const {blockSize} = this.#options
        // Other requests may have computed some of it meanwhile.
        const known = this.lookup(promptTokens, null)
        const isOfUse = this.#state === 'open' && this.#core.admission === 'open' && known < loaded.end
        if (isOfUse && known >= loaded.start) {
          this.#core.scheduler.adopt(
            promptTokens,
            [loaded.start / blockSize, loaded.end / blockSize],
            ids => {
              loaded.copyTo(slotsOf(ids, blockSize))
            },
          )
        }
        loaded.release()
      }
    } catch (error) {
      this.#options.logger.warn(`nothing was loaded from the tiers: ${String(error)}`)
    }
    this.#core.admit(id)
    this.#runSoon()
  }

  #abortAll(): void {
    const nowNs = this.#options.clock.nowNs()
    for (const id of [...this.#sinks.keys()]) this.#core.abort(id, nowNs)
  }

  #closedError(): ResourceError {
    return new ResourceError('ENGINE_CLOSED', `the engine is ${this.#state} and takes no more requests`)
  }

  #requestStates(): EngineState['requests'] {
    const nowNs = this.#options.clock.nowNs()
    return [...this.#core.sequences()].map(sequence => ({
      id: sequence.id,
      status: sequence.status,
      promptTokens: sequence.promptLength,
      computedTokens: sequence.computedTokens,
      outputTokens: sequence.generatedTokens,
      cachedTokens: sequence.cachedTokens,
      blocks: sequence.blocks.length,
      preemptions: sequence.preemptions,
      priority: sequence.request.priority,
      ageMs: (nowNs - sequence.arrivalNs) / 1e6,
    }))
  }

  #blockOf(target: ByteTarget): number {
    if ('blockId' in target) return target.blockId
    const blocks = this.#core.sequence(target.requestId)?.blocks
    const block = blocks?.[Math.floor(target.offset / this.#memory.bytesPerBlock)]
    if (block !== undefined) return block
    throw new ResourceError('REQUEST_NOT_FOUND', `no KV block of '${target.requestId}' at ${target.offset}`)
  }

  #cancelTimer(): void {
    // Either kind may be in there; clearing the other kind's is harmless.
    clearTimeout(this.#timer as NodeJS.Timeout)
    clearImmediate(this.#timer as NodeJS.Immediate)
    this.#timer = null
  }

  #runSoon(): void {
    if (this.#state !== 'open') return
    this.#cancelTimer()
    this.#timer = setImmediate(() => this.#turn())
  }

  /** One turn: every step that is due, then housekeeping, then the next turn is set. */
  #turn(): void {
    this.#timer = null
    try {
      this.#stepWhileDue()
      const until = performance.now() + SLICE_MS
      const {isDone, didAnything} = tidyMemory(this.#core, this.#memory, () => performance.now() < until)
      this.#sleeper.advance()
      this.#publisher.flush()
      // Room made by tidying may be what the head of the queue waits for.
      const isStuck = didAnything && this.#nextDeadlineNs === Infinity && this.#core.waitingCount > 0
      if (isDone && !isStuck) this.#setTimer()
      else this.#runSoon()
    } catch (error) {
      this.#fail(error)
    }
  }

  #stepWhileDue(): void {
    const {clock} = this.#options
    const until = performance.now() + TURN_MS
    do {
      const {events, nextDeadlineNs} = this.#core.step(clock.nowNs())
      this.#nextDeadlineNs = nextDeadlineNs
      this.#deliver(events)
      if (this.#state !== 'open' || nextDeadlineNs === Infinity) return
      if (clock instanceof VirtualClock) clock.advanceTo(nextDeadlineNs)
    } while (clock.nowNs() >= this.#nextDeadlineNs && performance.now() < until)
  }

  #setTimer(): void {
    if (this.#state !== 'open' || this.#timer !== null) return
    const ms = (this.#nextDeadlineNs - this.#options.clock.nowNs()) / 1e6
    if (ms <= 0) this.#runSoon()
    else if (ms < Infinity) this.#timer = setTimeout(() => this.#turn(), Math.ceil(ms))
    else if (this.#core.waitingCount > 0 && this.#core.admission === 'open')
      this.#timer = setTimeout(() => this.#turn(), RETRY_MS)
  }

  #deliver(events: readonly EngineEvent[]): void {
    for (const event of events) {
      switch (event.type) {
        case 'token':
          this.#sinks.get(event.id)?.tokens([event.token])
          for (const observer of this.#observers) {
            if (event.isFirst) observer.firstToken(event.sinceNs / 1e9)
            else observer.interToken(event.sinceNs / 1e9)
          }
          break
        case 'finished': {
          const sink = this.#sinks.get(event.id)
          this.#sinks.delete(event.id)
          sink?.end(event.end)
          for (const observer of this.#observers) observer.finished(event.summary)
          break
        }
        case 'step':
          for (const observer of this.#observers) observer.step(event.scheduledTokens)
          break
        case 'preempted':
        case 'cached':
          break
      }
    }
  }

  /** A step that cannot be computed ends everything: going on would mean to answer from a broken cache. */
  #fail(error: unknown): void {
    this.#state = 'failed'
    this.#sleeper.close()
    const message = error instanceof Error ? error.message : String(error)
    this.#options.logger.error(`the engine stopped: ${message}`)
    const sinks = [...this.#sinks.values()]
    this.#sinks.clear()
    for (const sink of sinks) sink.end({reason: 'error', stopTokenId: null, cachedTokens: 0, message})
  }
}
