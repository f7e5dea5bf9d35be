import type {PagedKv} from '../tiers/index.js'
import type {FinishedRequest, GenerationEnd, GenerationRequest} from './core/generation.js'
import type {PoolSnapshot} from '../elastic/index.js'
import type {PauseMode, SleepLevel, SleepSeries, SleepTag} from './core/sleep-state.js'
import type {KvTiers} from './kv-tiers.js'

export type {
  FinishedRequest,
  FinishReason,
  GenerationEnd,
  GenerationRequest,
  TokenGuide,
} from './core/generation.js'
export type {PauseMode, SleepLevel, SleepSeries, SleepTag} from './core/sleep-state.js'

/** Where an engine's answers go. Called between steps on the engine's thread: must not block and must not throw. */
export interface TokenSink {
  tokens(ids: readonly number[]): void
  end(end: GenerationEnd): void
}

/** What a metrics page records as it happens; an engine calls it, never waits for it. */
export interface EngineObserver {
  firstToken(ttftSeconds: number): void
  interToken(gapSeconds: number): void
  step(scheduledTokens: number): void
  finished(request: FinishedRequest): void
}

/** Totals since start and gauges of now; every figure counted, none modelled. */
export interface EngineStats {
  readonly running: number
  readonly waiting: number
  /** 0–1 over the start-up block count; cached but unreferenced blocks count as free. */
  readonly kvCacheUsage: number
  readonly numBlocks: number
  readonly blockSize: number
  readonly preemptions: number
  readonly promptTokens: number
  readonly promptTokensCached: number
  readonly generationTokens: number
  readonly prefixCacheQueries: number
  readonly prefixCacheHits: number
  readonly isSleeping: boolean
  readonly isPaused: boolean
  readonly sleepState: SleepSeries
}

/** One unfinished request, as `/kvctl/state` lists it. */
export interface RequestState {
  readonly id: string
  readonly status: 'waiting' | 'running' | 'preempted' | 'finished'
  readonly promptTokens: number
  readonly computedTokens: number
  readonly outputTokens: number
  /** Null before the first admission. */
  readonly cachedTokens: number | null
  readonly blocks: number
  readonly preemptions: number
  readonly priority: number
  readonly ageMs: number
}

/** Everything about an engine at one moment; bytes are real ones of this machine unless named `modelled`. */
export interface EngineState {
  readonly steps: {
    readonly count: number
    /** Sum of what the steps should have taken. */
    readonly modelledMs: number
    /** Sum of what they took by the clock, which is more when the machine cannot keep up. */
    readonly achievedMs: number
  }
  readonly requests: readonly RequestState[]
  readonly pool: {
    readonly blockSize: number
    readonly totalBlocks: number
    readonly usedBlocks: number
    /** Unreferenced, content kept. */
    readonly cachedFreeBlocks: number
    readonly emptyBlocks: number
    /** What the limit in force allows. */
    readonly capacityBlocks: number
    readonly evictions: number
  }
  readonly memory: {
    readonly limitBytes: number
    readonly startupBytes: number
    readonly usedBytes: number
    readonly preallocatedBytes: number
    /** As the system counts the memory file's blocks. */
    readonly residentBytes: number
    readonly pageBytes: number
    readonly bytesPerBlock: number
    readonly isShrinking: boolean
    readonly movedBlocks: number
  }
  /** The pool of pages in the words of kvcached's observability. */
  readonly kvPool: PoolSnapshot
  readonly timing: {
    readonly mode: 'constant' | 'linear' | 'roofline'
    readonly speedup: number
    readonly jitter: number
    readonly model: string | null
    readonly gpu: string | null
  }
  /** What the pool would weigh on the modelled GPU; null where no model was chosen. */
  readonly modelledPoolBytes: number | null
  readonly modelledBytesPerBlock: number | null
  readonly segment: string | null
}

/** Which byte to damage: of a request's KV cache in order of its blocks, or of one block. */
export type ByteTarget =
  {readonly requestId: string; readonly offset: number} | {readonly blockId: number; readonly offset: number}

/** A sequence that was handed in. */
export interface Submission {
  /**
   * Ends it at once; nothing happens where it has ended already.
   *
   * @param reason `stop` when a stop string was found, which only the reader of the text can see
   */
  abort(reason?: 'abort' | 'stop'): void
}

/** An inference server in everything but weights and HTTP. */
export interface Engine {
  /**
   * Starts one sequence.
   *
   * @throws ConfigurationError for what can never run
   * @throws ResourceError `ENGINE_CLOSED`
   */
  submit(request: GenerationRequest, sink: TokenSink): Submission
  stats(): EngineStats
  state(): EngineState
  observe(observer: EngineObserver): void
  /** Its KV pages by slot, for whoever stores and loads them. */
  readonly pagedKv: PagedKv
  /** From now on prompts are loaded from there as far as they are stored, and stored when they end. */
  attachTiers(tiers: KvTiers): void
  /** How many leading tokens of such a prompt the prefix cache holds now. */
  lookup(promptTokens: readonly number[], cacheSalt: string | null): number
  /**
   * Forgets all cached content.
   *
   * @param preemptsRunning first takes the blocks of running requests away, which start over
   * @returns false, changing nothing, while a request runs
   */
  resetPrefixCache(preemptsRunning: boolean): boolean
  /**
   * Stops scheduling; from level 1 on all KV memory goes back to the machine. Requests that arrive meanwhile wait.
   * Does nothing while it sleeps already.
   *
   * @returns once it is so
   * @throws ResourceError `ENGINE_CLOSED` when the engine ends first
   */
  sleep(level: SleepLevel, mode: PauseMode): Promise<void>
  /**
   * Wakes what the tags name, null for all. Requests go on when nothing sleeps any more. Does nothing, as vLLM does, when
   * one of the tags is not asleep.
   *
   * @throws ResourceError `MEMORY_EXHAUSTED` without memory for the KV cache; everything sleeps on then
   */
  wakeUp(tags: readonly SleepTag[] | null): void
  readonly maxModelLen: number
  /** False once it has failed or was closed: it takes no more requests. */
  readonly isServing: boolean
  /** The segment it publishes; null without one. */
  readonly segment: string | null
  /**
   * For tests only: inverts one byte of a live KV page, to show that answers come out of these pages.
   *
   * @throws ResourceError `REQUEST_NOT_FOUND`, or RangeError when there is no memory at that place
   */
  flipByte(target: ByteTarget): void
  /** Ends every request with `abort` and gives memory and segment back. Does nothing the second time. */
  close(): Promise<void>
  /** Removes the segment and nothing else, at once: for handlers of process exit, where nothing can be awaited. */
  removeSync(): void
}
