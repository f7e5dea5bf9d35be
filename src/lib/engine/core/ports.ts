import type {Sequence} from './sequence.js'

/** Where block ids come from. */
export interface BlockSource {
  /** Blocks at start, the null block (id 0, never given) included. */
  readonly numBlocks: number
  /** Ids are below this. */
  readonly idLimit: number
  /** A plain source keeps nothing back: the pool takes everything at start and orders it itself, as vLLM does. */
  readonly isElastic: boolean
  /** @returns up to `count` ids */
  take(count: number): number[]
  give(ids: readonly number[]): void
  /** How many {@link take} could give now. */
  available(): number
  /** How many may be out at once, by the limit in force. */
  capacity(): number
  /** How many blocks have to come back before the limit in force can be met. */
  over(): number
}

/** One sequence's share of a step. */
export interface ScheduledWork {
  readonly sequence: Sequence
  /** Tokens already in the KV cache. */
  readonly computedTokens: number
  /** Tokens that this step adds to it. */
  readonly newTokens: number
  /** The step reaches the sequence's last token, so that it samples the next one. */
  readonly samples: boolean
}

/** Does the bytes of a step: writes the rows of every new token, then reads the next token where one is sampled. */
export interface ModelRunner {
  /** @returns a token for each of `batch` that samples, in order; anything for the others */
  run(batch: readonly ScheduledWork[]): ArrayLike<number>
}

/** How long a step takes. */
export interface StepTimer {
  /** @returns nanoseconds, ≥ 0 */
  stepNs(batch: readonly ScheduledWork[]): number
  /** What a request waits before it reaches the scheduler: HTTP, template, tokenisation. Nanoseconds. */
  readonly ingressNs: number
}
