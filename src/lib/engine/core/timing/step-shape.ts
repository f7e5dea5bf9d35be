import type {ScheduledWork} from '../ports.js'

/** What a timing model needs to know of a step. */
export interface StepShape {
  readonly prefills: readonly PrefillChunk[]
  /** Of every decode, the tokens already in its KV cache. */
  readonly decodeContexts: readonly number[]
}

export interface PrefillChunk {
  readonly newTokens: number
  readonly computedTokens: number
  /** It reaches the end of what there is to prefill, so that a token follows. */
  readonly isLast: boolean
}

/** @returns seconds, ≥ 0 */
export type TimingModel = (shape: StepShape) => number

/** A single new token behind others is a decode; everything else is prefill. */
export function shapeOf(batch: readonly ScheduledWork[]): StepShape {
  const prefills: PrefillChunk[] = []
  const decodeContexts: number[] = []
  for (const {newTokens, computedTokens, samples} of batch) {
    if (newTokens === 1 && computedTokens > 0) decodeContexts.push(computedTokens)
    else prefills.push({newTokens, computedTokens, isLast: samples})
  }
  return {prefills, decodeContexts}
}
