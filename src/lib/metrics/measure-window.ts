/** A half-open span [fromMs, toMs) on the run's clock, and the rule that gave it. */
export interface MeasureWindow {
  readonly fromMs: number
  readonly toMs: number
  readonly rule: 'every-slot-busy' | 'scheduled-arrivals' | 'whole-run'
}

/** Sends and ends in the order of sending; requests that were never sent are left out. */
export interface SentRequests {
  readonly sentAtMs: ArrayLike<number>
  /** NaN when it never ended. */
  readonly doneAtMs: ArrayLike<number>
}

/**
 * The steady part of a closed loop: from the moment every slot has finished its first request until the moment the first
 * slot finds no more work, which is the first end after the last send. When the run is too short for such a part, the whole
 * run.
 */
export function closedLoopWindow({sentAtMs, doneAtMs}: SentRequests, slots: number): MeasureWindow | null {
  const n = sentAtMs.length
  const whole = wholeRunWindow({sentAtMs, doneAtMs})
  if (whole === null || n <= slots) return whole
  let from = -Infinity
  for (let index = 0; index < slots; index++) from = Math.max(from, doneAtMs[index]!)
  const lastSend = sentAtMs[n - 1]!
  let to = Infinity
  for (let index = 0; index < n; index++) {
    const done = doneAtMs[index]!
    if (done >= lastSend && done < to) to = done
  }
  return Number.isFinite(from) && Number.isFinite(to) && to > from
    ? {fromMs: from, toMs: to, rule: 'every-slot-busy'}
    : whole
}

/** The part of an open loop in which requests were scheduled to arrive, the drain left out. */
export function openLoopWindow(firstScheduledMs: number, lastScheduledMs: number): MeasureWindow | null {
  return lastScheduledMs > firstScheduledMs
    ? {fromMs: firstScheduledMs, toMs: lastScheduledMs, rule: 'scheduled-arrivals'}
    : null
}

/** From the first send to the last end, drain included: what most tools divide by. */
export function wholeRunWindow({sentAtMs, doneAtMs}: SentRequests): MeasureWindow | null {
  let to = -Infinity
  for (let index = 0; index < doneAtMs.length; index++) to = Math.max(to, doneAtMs[index]! || -Infinity)
  const from = sentAtMs[0]
  return from !== undefined && to > from ? {fromMs: from, toMs: to, rule: 'whole-run'} : null
}
