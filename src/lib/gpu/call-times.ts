import {performance} from 'node:perf_hooks'
import type {NvmlCall} from '../../native/nvml.js'

/** How long one function of a driver library took. */
export interface CallTime {
  /** The C function. */
  readonly call: string
  readonly count: number
  readonly medianMs: number
  readonly worstMs: number
}

/** Times each call into a library. */
export class CallTimes {
  readonly #before: (call: string) => void
  readonly #times = new Map<string, number[]>()

  /** @param before told the name of each call that is about to be made */
  constructor(before: (call: string) => void) {
    this.#before = before
  }

  /** Wraps a function of the library. */
  readonly watch =
    (name: string, call: NvmlCall): NvmlCall =>
    (...args) => {
      this.#before(name)
      const startMs = performance.now()
      const status = call(...args)
      const tookMs = performance.now() - startMs
      const times = this.#times.get(name)
      if (times) times.push(tookMs)
      else this.#times.set(name, [tookMs])
      return status
    }

  /** Begins anew, except for one function. */
  forgetAllBut(name: string): void {
    for (const call of this.#times.keys()) if (call !== name) this.#times.delete(call)
  }

  /** Slowest first, by median. */
  summary(): CallTime[] {
    return [...this.#times]
      .map(([call, times]) => {
        const sorted = times.toSorted((a, b) => a - b)
        return {
          call,
          count: sorted.length,
          medianMs: sorted[Math.floor((sorted.length - 1) / 2)]!,
          worstMs: sorted.at(-1)!,
        }
      })
      .sort((a, b) => b.medianMs - a.medianMs)
  }
}
