import type {
  EngineObserver,
  EngineState,
  EngineStats,
  GenerationRequest,
  TokenSink,
} from '../../src/lib/engine/index.js'
import {ConfigurationError} from '../../src/lib/foundation/index.js'
import type {ServedEngine} from '../../src/server/served-engine.js'

export interface ScriptedEngine extends ServedEngine {
  /** What was submitted, in order. */
  readonly submitted: readonly GenerationRequest[]
  /** Ids of sequences that were aborted. */
  readonly aborted: readonly string[]
  /** Ids of sequences in whose text a stop string was found. */
  readonly stopped: readonly string[]
  readonly unfinished: number
  /** Gives every running sequence its next token, and its end when it has said all; as an engine's step would. */
  step(): void
  /** Steps on every turn of the event loop until nothing runs. */
  run(): Promise<void>
  /** Ends everything that runs with an error. */
  fail(message: string): void
}

/** Nothing in the pool: a scripted engine has none. */
const EMPTY_STATE: EngineState = {
  steps: {count: 0, modelledMs: 0, achievedMs: 0},
  requests: [],
  pool: {
    blockSize: 16,
    totalBlocks: 64,
    usedBlocks: 0,
    cachedFreeBlocks: 0,
    emptyBlocks: 64,
    capacityBlocks: 64,
    evictions: 0,
  },
  memory: {
    limitBytes: 0,
    startupBytes: 0,
    usedBytes: 0,
    preallocatedBytes: 0,
    residentBytes: 0,
    pageBytes: 0,
    bytesPerBlock: 0,
    isShrinking: false,
    movedBlocks: 0,
  },
  kvPool: {
    schema_version: 'kvcached.observability.v1',
    pool_type: 'kv_cache',
    integration: 'kvctl',
    pool_name: 'block_pool',
    group_id: 0,
    num_layers: 1,
    num_kv_buffers: 2,
    page_size_bytes: 0,
    block_size_bytes: 0,
    total_blocks: 65,
    available_blocks: 64,
    allocated_blocks: 1,
    reserved_blocks: 0,
    available_bytes: 0,
    allocated_bytes: 0,
    reserved_bytes: 0,
    null_block_reserved: true,
    virtual_per_layer_bytes: 0,
    virtual_total_bytes: 0,
    mapped_bytes: 0,
    total_pages: 1,
    free_pages: 0,
    inuse_pages: 1,
    reserved_pages: 0,
    effective_free_pages: 0,
    in_shrink: false,
    available_physical_pages: null,
    resize_target_bytes: -1,
    shrink_target_blocks: null,
  },
  timing: {mode: 'constant', speedup: 1, jitter: 0, model: null, gpu: null},
  modelledPoolBytes: null,
  modelledBytesPerBlock: null,
  segment: null,
}

interface Running {
  readonly request: GenerationRequest
  readonly sink: TokenSink
  said: number
}

/**
 * An engine for tests of the wire format that says exactly the given tokens and moves only when told to.
 *
 * @param script the tokens of a request; cut at `maxTokens`, and ended with `stop` where the script is shorter
 */
export function scriptedEngine(
  script: (request: GenerationRequest) => readonly number[],
  maxModelLen = 1024,
): ScriptedEngine {
  const submitted: GenerationRequest[] = []
  const aborted: string[] = []
  const stopped: string[] = []
  const running = new Set<Running>()
  const observers: EngineObserver[] = []
  let [promptTokens, generationTokens] = [0, 0]

  const end = (one: Running, reason: 'stop' | 'length' | 'abort' | 'error', message: string | null): void => {
    running.delete(one)
    one.sink.end({reason, stopTokenId: null, cachedTokens: 0, message})
    for (const observer of observers) {
      observer.finished({
        reason,
        promptTokens: one.request.promptTokens.length,
        cachedTokens: 0,
        generatedTokens: one.said,
        maxTokens: one.request.maxTokens,
        preemptions: 0,
        queueSeconds: 0,
        prefillSeconds: 0.1,
        decodeSeconds: one.said > 0 ? 0.1 : null,
        inferenceSeconds: 0.2,
        e2eSeconds: 0.25,
      })
    }
  }
  const stats = (): EngineStats => ({
    running: running.size,
    waiting: 0,
    kvCacheUsage: running.size / 64,
    numBlocks: 65,
    blockSize: 16,
    preemptions: 0,
    promptTokens,
    promptTokensCached: 0,
    generationTokens,
    prefixCacheQueries: promptTokens,
    prefixCacheHits: 0,
    isSleeping: false,
    isPaused: false,
    sleepState: 'awake',
  })
  const engine: ScriptedEngine = {
    maxModelLen,
    submitted,
    aborted,
    stopped,
    get unfinished() {
      return running.size
    },
    submit(request, sink) {
      if (request.promptTokens.length > maxModelLen / 2) {
        throw new ConfigurationError('REQUEST_TOO_LONG', 'the prompt can never fit in the pool')
      }
      submitted.push(request)
      const one = {request, sink, said: 0}
      running.add(one)
      promptTokens += request.promptTokens.length
      return {
        abort(reason = 'abort') {
          if (!running.has(one)) return
          if (reason === 'abort') aborted.push(request.id)
          else stopped.push(request.id)
          end(one, reason, null)
        },
      }
    },
    stats,
    lookup: () => 0,
    resetPrefixCache: () => running.size === 0,
    sleep: () => Promise.resolve(),
    wakeUp: () => undefined,
    isServing: true,
    state: () => EMPTY_STATE,
    observe: observer => void observers.push(observer),
    step() {
      for (const observer of observers) observer.step(running.size)
      for (const one of [...running]) {
        const tokens = script(one.request)
        const next = tokens[one.said]
        if (next === undefined) {
          end(one, 'stop', null)
          continue
        }
        one.said++
        generationTokens++
        one.sink.tokens([next])
        for (const observer of observers) {
          if (one.said === 1) observer.firstToken(0.002)
          else observer.interToken(0.02)
        }
        if (one.said >= one.request.maxTokens) end(one, 'length', null)
        else if (one.said === tokens.length) end(one, 'stop', null)
      }
    },
    async run() {
      while (running.size > 0) {
        engine.step()
        await new Promise(resolve => setImmediate(resolve))
      }
    },
    fail(message) {
      for (const one of [...running]) end(one, 'error', message)
    },
  }
  return engine
}
