import type {PublishedSegment} from '../elastic/index.js'
import type {Clock, Logger} from '../foundation/index.js'
import {reserveHostMemory, type PageReserve} from '../memory/index.js'
import {constantTiming, type ConstantTiming} from './core/timing/constant.js'
import {linearTiming, type LinearTiming} from './core/timing/linear.js'
import {rooflineTiming, type RooflineTiming} from './core/timing/roofline.js'
import type {PaceOptions} from './core/timing/step-timer.js'
import type {TimingModel} from './core/timing/step-shape.js'
import type {SchedulerOptions} from './core/scheduler.js'
import type {KvGeometry} from './kv-memory.js'

/** What the engine needs to know of a tokenizer. */
export interface Vocabulary {
  readonly size: number
  readonly eosTokenId: number
  /** Ids that the model may say. */
  readonly sampleable: Uint32Array
}

export type TimingOptions =
  | ({readonly mode: 'constant'} & ConstantTiming)
  | ({readonly mode: 'linear'} & LinearTiming)
  | ({readonly mode: 'roofline'} & RooflineTiming)

export interface EngineOptions extends SchedulerOptions {
  readonly vocabulary: Vocabulary
  /** KV blocks at start, the null block included. */
  readonly numBlocks: number
  /** Bytes of a row, and of a page. */
  readonly kv: KvGeometry
  /** Pages kept mapped ahead of need, and at most after being freed. */
  readonly minReservedPages: number
  readonly maxReservedPages: number
  /** Share of the device's memory that may be used, by whomever, 0 to 1; only GPUs can tell how much that is. */
  readonly memoryUtilization: number
  /** Where pages are: this machine's memory unless told otherwise. */
  readonly reserve: PageReserve
  readonly timing: TimingOptions
  readonly pace: PaceOptions
  /** One token in so many ends an answer that may end. */
  readonly meanAnswerTokens: number
  /** Checks every row of a sequence before each token; damage anywhere then changes the text. Slow. */
  readonly verifyKv: boolean
  /** Where use is published and limits come from; null runs without. */
  readonly segment: PublishedSegment | null
  /** A `VirtualClock` runs as fast as the machine can. */
  readonly clock: Clock
  readonly logger: Logger
}

/** A page of 2 MiB holds 64 blocks of 16 tokens in each buffer, as those of an 8B model with grouped heads do. */
export const DEFAULT_KV: KvGeometry = {rowBytes: 2048, pageBytes: 2 ** 21}

/**
 * vLLM's defaults where it has them; as fast as possible, without a segment.
 *
 * @see vllm-project/vllm:vllm/config/scheduler.py and vllm/engine/arg_utils.py
 */
export function defaultEngineOptions(vocabulary: Vocabulary, clock: Clock, logger: Logger): EngineOptions {
  return {
    vocabulary,
    clock,
    logger,
    numBlocks: 4096,
    blockSize: 16,
    maxModelLen: 32_768,
    maxNumSeqs: 256,
    maxNumBatchedTokens: 2048,
    longPrefillTokenThreshold: 0,
    enableChunkedPrefill: true,
    enablePrefixCaching: true,
    policy: 'fcfs',
    reserveFullPrompt: true,
    hashSeed: null,
    maxCachedBlocks: null,
    kv: DEFAULT_KV,
    minReservedPages: 5,
    maxReservedPages: 10,
    memoryUtilization: 0.95,
    reserve: pages => reserveHostMemory({...pages, name: 'kvctl-kv-cache'}),
    timing: {mode: 'constant', ttftMs: 0, itlMs: 0, prefillMsPerToken: 0},
    pace: {speedup: 1, jitter: 0, seed: 0, ingressMs: 0},
    meanAnswerTokens: 256,
    verifyKv: false,
    segment: null,
  }
}

export function timingModel(options: TimingOptions): TimingModel {
  switch (options.mode) {
    case 'constant':
      return constantTiming(options)
    case 'linear':
      return linearTiming(options)
    case 'roofline':
      return rooflineTiming(options)
  }
}
