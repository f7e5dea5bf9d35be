import type {BenchPlan} from './bench-plan.js'

/** Which requests one load process sends, in this order, and when. */
export interface SendList {
  /** Ascending; ids 1 … W are warm-up, W+1 … W+n measured. */
  readonly ids: Uint32Array<ArrayBuffer>
  /** How many of `ids` are warm-up. */
  readonly warmups: number
  /** Send times of the measured ones, ms since the measured phase began; null in a closed loop. */
  readonly timesMs: Float64Array<ArrayBuffer> | null
  /** Limit of a closed loop's measured phase; null for none. */
  readonly durationMs: number | null
}

/** Everything a plan sends. */
export function wholeList(plan: BenchPlan): SendList {
  return missingList(plan, new Set(), 0)
}

/**
 * What is left of a plan. In an open loop every request keeps the gap before it, so that the rest is sent at the rate that
 * its schedule has there, without pauses where the requests in between are done; a closed loop has what is left of its time.
 *
 * @param done ids that need not be sent
 * @param measuredMs how long the measured phase has lasted already
 */
export function missingList(plan: BenchPlan, done: ReadonlySet<number>, measuredMs: number): SendList {
  const {warmupRequests, requests, timesMs: scheduledMs, mode, durationMs} = plan
  const all = Uint32Array.from({length: warmupRequests + requests}, (_, index) => index + 1)
  const ids = all.filter(id => !done.has(id))
  const warmups = ids.filter(id => id <= warmupRequests).length
  return {
    ids,
    warmups,
    timesMs:
      scheduledMs &&
      (done.size === 0 ? scheduledMs : closedUp(scheduledMs, ids.subarray(warmups), warmupRequests)),
    durationMs: mode === 'open' || durationMs === null ? null : Math.max(0, durationMs - measuredMs),
  }
}

function closedUp(
  scheduledMs: Float64Array,
  ids: Uint32Array,
  warmupRequests: number,
): Float64Array<ArrayBuffer> {
  let at = 0
  return Float64Array.from(ids, (id, index) => {
    const place = id - warmupRequests - 1
    if (index > 0) at += scheduledMs[place]! - scheduledMs[place - 1]!
    return at
  })
}

/**
 * Deals a list out to `workers` processes, every so-manieth request to each, so that together they send the same requests at
 * the same times whatever their number.
 */
export function dealOut(list: SendList, workers: number): SendList[] {
  const {ids, warmups, timesMs, durationMs} = list
  return Array.from({length: workers}, (_, worker) => {
    const isOurs = (_value: number, place: number): boolean => place % workers === worker
    const own = ids.filter(isOurs)
    return {
      ids: own,
      warmups: Math.ceil(Math.max(0, warmups - worker) / workers),
      timesMs: timesMs && timesMs.filter((_, place) => isOurs(0, place + warmups)),
      durationMs,
    }
  })
}
