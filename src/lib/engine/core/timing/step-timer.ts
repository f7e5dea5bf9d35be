import {seededRandom} from '../../../foundation/index.js'
import type {StepTimer} from '../ports.js'
import {shapeOf, type TimingModel} from './step-shape.js'

export interface PaceOptions {
  /** All simulated durations are divided by this. */
  readonly speedup: number
  /** Relative standard deviation of a step, Gaussian, cut at ±70 %. */
  readonly jitter: number
  readonly seed: number
  /** Of one request, before it reaches the scheduler. */
  readonly ingressMs: number
}

const MAX_DEVIATION = 0.7

/** A timing model as the engine uses it. The same seed gives the same jitter, step by step. */
export function stepTimer(model: TimingModel, pace: PaceOptions): StepTimer {
  const random = seededRandom(pace.seed)
  const factor = (): number => {
    if (pace.jitter === 0) return 1
    return 1 + Math.min(MAX_DEVIATION, Math.max(-MAX_DEVIATION, random.normal(0, pace.jitter)))
  }
  return {
    stepNs: batch => (model(shapeOf(batch)) * 1e9 * factor()) / pace.speedup,
    ingressNs: (pace.ingressMs * 1e6) / pace.speedup,
  }
}
