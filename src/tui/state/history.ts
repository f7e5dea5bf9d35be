import type {MonitorLook} from '../../lib/monitor/index.js'

type Values = readonly (number | null)[]

/** Values of the last looks, oldest first: `early`, then `late`, which alone is copied when a look is added. */
interface Series {
  readonly early: Values
  readonly late: Values
}

/** The past of all that is shown, by what it belongs to. */
export type History = ReadonlyMap<string, Series>

/** More than the widest screen shows. */
const LONGEST = 300
const MOST_LATE = 16

/** Oldest first; empty for what has no past. */
export function pastOf(history: History, key: string): Values {
  const series = history.get(key)
  return series === undefined ? [] : [...series.early, ...series.late].slice(-LONGEST)
}

export function seriesKey(
  host: string,
  kind: 'segment' | 'gpu' | 'engine' | 'process' | 'tier' | 'model',
  name: string,
): string {
  return `${host}\n${kind}\n${name}`
}

/** Pure: the history with one more look. What is no longer there is forgotten, so that a long run stays small. */
export function extendHistory(history: History, {hosts}: MonitorLook): History {
  const next = new Map<string, Series>()
  const add = (key: string, value: number | null): void => {
    const {early, late} = history.get(key) ?? {early: [], late: []}
    next.set(
      key,
      late.length < MOST_LATE
        ? {early, late: [...late, value]}
        : {early: [...early, ...late].slice(-LONGEST), late: [value]},
    )
  }
  for (const {host, segments, devices, engines} of hosts) {
    for (const {name, usedBytes, preallocBytes, limitBytes} of segments) {
      const isKnown = usedBytes !== null && preallocBytes !== null && limitBytes !== null && limitBytes > 0
      add(seriesKey(host, 'segment', name), isKnown ? ((usedBytes + preallocBytes) / limitBytes) * 100 : null)
    }
    for (const {index, uuid, utilizationPercent} of devices) {
      add(seriesKey(host, 'gpu', uuid ?? index), utilizationPercent)
    }
    for (const {url, kvUsagePercent} of engines) add(seriesKey(host, 'engine', url), kvUsagePercent)
  }
  return next
}
