import type {TimingModel} from './step-shape.js'

/** Coefficients in seconds, each ≥ 0. */
export interface LinearTiming {
  readonly perStep: number
  readonly perPrefillToken: number
  /** Per pair of a new prompt token and one it attends to. */
  readonly perPrefillAttention: number
  readonly perDecode: number
  /** Per token of context of a decode. */
  readonly perContextToken: number
}

/** About Llama-3.1-8B on an H100. */
export const LINEAR_DEFAULTS: LinearTiming = {
  perStep: 7.3e-3,
  perPrefillToken: 31e-6,
  perPrefillAttention: 1.2e-9,
  perDecode: 5e-6,
  perContextToken: 71e-9,
}

/** a + b·tokens + b2·Σ t(s + t/2) + c·decodes + e·Σ context; what a calibration from a measured run fits. */
export function linearTiming(coefficients: LinearTiming): TimingModel {
  return ({prefills, decodeContexts}) => {
    let seconds = coefficients.perStep + coefficients.perDecode * decodeContexts.length
    for (const {newTokens, computedTokens} of prefills) {
      seconds += coefficients.perPrefillToken * newTokens
      seconds += coefficients.perPrefillAttention * newTokens * (computedTokens + newTokens / 2)
    }
    for (const context of decodeContexts) seconds += coefficients.perContextToken * context
    return seconds
  }
}
