import type {TimingModel} from './step-shape.js'

export interface ConstantTiming {
  /** Of the step in which a prompt's last chunk is computed. */
  readonly ttftMs: number
  /** Of every other step. */
  readonly itlMs: number
  /** Added for every prompt token computed. */
  readonly prefillMsPerToken: number
}

/** Fixed times, for tests of protocols; 0 is as fast as possible. */
export function constantTiming({ttftMs, itlMs, prefillMsPerToken}: ConstantTiming): TimingModel {
  return ({prefills, decodeContexts}) => {
    const isFirst = prefills.some(chunk => chunk.isLast)
    const baseMs = isFirst ? Math.max(ttftMs, decodeContexts.length > 0 ? itlMs : 0) : itlMs
    const tokens = prefills.reduce((sum, chunk) => sum + chunk.newTokens, 0)
    return (baseMs + prefillMsPerToken * tokens) / 1000
  }
}
