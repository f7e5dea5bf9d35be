import type {Clock} from '../foundation/index.js'
import {writePrometheusWindow, type PrometheusWindow, type RunDirectory} from '../runs/index.js'
import type {Prometheus} from './client.js'
import type {ServiceLabels} from './queries.js'
import {isSettled, readWindow, type Span} from './read-window.js'

export interface RecordOptions {
  readonly clock: Clock
  /** Unix milliseconds. */
  readonly nowMs: () => number
  /** How long a run that has just ended waits for the next scrape. */
  readonly settleMs: number
}

const ASK_AGAIN_MS = 1000

/**
 * Writes into a run what Prometheus knows of its window, for every later analysis. A run that has just ended waits for the next
 * scrape, without which the end of its energy is unknown.
 *
 * @throws NetworkError `PROMETHEUS_UNAVAILABLE`, `PROMETHEUS_REFUSED`
 */
export async function recordWindow(
  run: RunDirectory,
  prometheus: Prometheus,
  of: ServiceLabels | null,
  span: Span,
  {clock, nowMs, settleMs}: RecordOptions,
  signal: AbortSignal,
): Promise<PrometheusWindow> {
  const untilMs = span.end * 1000 + settleMs
  for (;;) {
    const window = await readWindow(prometheus, of, span, signal)
    const isEmpty = Object.keys(window.series).length === 0
    if (isEmpty || isSettled(window) || nowMs() >= untilMs) {
      await writePrometheusWindow(run, window)
      return window
    }
    await clock.sleep(ASK_AGAIN_MS, signal)
  }
}
