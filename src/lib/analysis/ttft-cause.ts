/** What is known of where the time before the first token went; null for what is not. */
export interface TtftFacts {
  readonly ttftMeanMs: number | null
  /** Of the server's own histograms, over the window. */
  readonly queueMeanMs: number | null
  readonly prefillMeanMs: number | null
  /** Requests that waited in the server. */
  readonly waitingMean: number | null
  readonly requestsPerSecond: number | null
  readonly kvCacheUsageMax: number | null
  readonly preemptions: number | null
}

export interface TtftCause {
  readonly code: 'queueing' | 'kv_capacity' | 'prefill'
  /** One sentence with the numbers that confirm it. */
  readonly message: string
}

const HALF = 0.5
const FULL = 0.9

/**
 * The strongest cause of TTFT that a rule confirms; none is named that none confirms. Requests waited and their wait is half of
 * TTFT or more: queueing. The KV cache was full and requests were preempted: its capacity. Prefill is half of TTFT or more: prefill.
 * Without a histogram of waits they follow from Little's law: waiting requests ÷ requests a second.
 */
export function causeOf(facts: TtftFacts): TtftCause | null {
  const {ttftMeanMs, prefillMeanMs, waitingMean, requestsPerSecond, kvCacheUsageMax, preemptions} = facts
  const isFull = kvCacheUsageMax !== null && kvCacheUsageMax >= FULL
  const full = isFull ? `, and the KV cache was ${percent(kvCacheUsageMax)} full at times` : ''
  const littleMs =
    waitingMean === null || requestsPerSecond === null || requestsPerSecond === 0
      ? null
      : (waitingMean / requestsPerSecond) * 1000
  const queueMs = facts.queueMeanMs ?? littleMs
  if (ttftMeanMs === null || ttftMeanMs <= 0) return null
  if (waitingMean !== null && waitingMean > 0 && queueMs !== null && queueMs >= HALF * ttftMeanMs) {
    return {
      code: 'queueing',
      message: `requests waited ${queueMs.toFixed(0)} ms in the server's queue of ${ttftMeanMs.toFixed(0)} ms to the first token, ${waitingMean.toFixed(1)} at a time${full}`,
    }
  }
  if (isFull && preemptions !== null && preemptions > 0) {
    return {
      code: 'kv_capacity',
      message: `the KV cache was ${percent(kvCacheUsageMax)} full at times and ${preemptions} requests were preempted`,
    }
  }
  if (prefillMeanMs !== null && prefillMeanMs >= HALF * ttftMeanMs) {
    return {
      code: 'prefill',
      message: `prefill took ${prefillMeanMs.toFixed(0)} ms of ${ttftMeanMs.toFixed(0)} ms to the first token`,
    }
  }
  return null
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`
}
