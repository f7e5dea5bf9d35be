import type {BenchPlan} from './bench-plan.js'

/** Which requests one load process sends, in this order, and when. */
export interface SendList {
  /** The first request of each session. Ascending; ids 1 … W are warm-up, W+1 … W+n measured. */
  readonly ids: Uint32Array<ArrayBuffer>
  /** How many requests each of `ids` begins, itself included: the others have the ids after it; null when each stands alone. */
  readonly turns: Uint32Array<ArrayBuffer> | null
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
  if (plan.sessions !== null) return missingSessions(plan, plan.sessions, done, measuredMs)
  const all = Uint32Array.from({length: warmupRequests + requests}, (_, index) => index + 1)
  const ids = all.filter(id => !done.has(id))
  const warmups = ids.filter(id => id <= warmupRequests).length
  return {
    ids,
    turns: null,
    warmups,
    timesMs:
      scheduledMs &&
      (done.size === 0
        ? scheduledMs
        : closedUp(scheduledMs, placesOf(ids.subarray(warmups), warmupRequests))),
    durationMs: leftOf(mode, durationMs, measuredMs),
  }
}

/** How many requests a list holds, later turns included. */
export function requestsIn({ids, turns}: SendList): number {
  return turns === null ? ids.length : turns.reduce((sum, count) => sum + count, 0)
}

/** Every id of a list, later turns included. */
export function* idsIn({ids, turns}: SendList): Generator<number> {
  for (const [place, id] of ids.entries()) {
    for (let turn = 0; turn < (turns?.[place] ?? 1); turn++) yield id + turn
  }
}

/** What is missing of a session goes on from its first missing turn. */
function missingSessions(
  {warmupRequests, timesMs, mode, durationMs}: BenchPlan,
  sessions: readonly number[],
  done: ReadonlySet<number>,
  measuredMs: number,
): SendList {
  const heads: {id: number; turns: number; place: number}[] = []
  for (let id = 1; id <= warmupRequests; id++) if (!done.has(id)) heads.push({id, turns: 1, place: -1})
  const warmups = heads.length
  let first = warmupRequests + 1
  for (const [place, length] of sessions.entries()) {
    const missing = Array.from({length}, (_, turn) => first + turn).filter(id => !done.has(id))
    // Turns go in order, so that what is missing stands at the end.
    if (missing.length > 0) heads.push({id: first + length - missing.length, turns: missing.length, place})
    first += length
  }
  const places = Uint32Array.from(heads.slice(warmups), ({place}) => place)
  return {
    ids: Uint32Array.from(heads, ({id}) => id),
    turns: Uint32Array.from(heads, ({turns}) => turns),
    warmups,
    timesMs: timesMs && (done.size === 0 ? timesMs : closedUp(timesMs, places)),
    durationMs: leftOf(mode, durationMs, measuredMs),
  }
}

function leftOf(mode: BenchPlan['mode'], durationMs: number | null, measuredMs: number): number | null {
  return mode === 'open' || durationMs === null ? null : Math.max(0, durationMs - measuredMs)
}

function placesOf(ids: Uint32Array, warmupRequests: number): Uint32Array {
  return ids.map(id => id - warmupRequests - 1)
}

/** @param places in the schedule of what is left, ascending */
function closedUp(scheduledMs: Float64Array, places: Uint32Array): Float64Array<ArrayBuffer> {
  let at = 0
  return Float64Array.from(places, (place, index) => {
    if (index > 0) at += scheduledMs[place]! - scheduledMs[place - 1]!
    return at
  })
}

/**
 * Deals a list out to `workers` processes, every so-manieth request to each, so that together they send the same requests at
 * the same times whatever their number.
 */
export function dealOut(list: SendList, workers: number): SendList[] {
  const {ids, turns, warmups, timesMs, durationMs} = list
  return Array.from({length: workers}, (_, worker) => {
    const isOurs = (_value: number, place: number): boolean => place % workers === worker
    const own = ids.filter(isOurs)
    return {
      ids: own,
      turns: turns && turns.filter(isOurs),
      warmups: Math.ceil(Math.max(0, warmups - worker) / workers),
      timesMs: timesMs && timesMs.filter((_, place) => isOurs(0, place + warmups)),
      durationMs,
    }
  })
}
