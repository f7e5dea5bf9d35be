import type {MonitorLook} from '../../lib/monitor/index.js'

/** Values of the last looks by what they belong to, oldest first. */
export type History = ReadonlyMap<string, readonly (number | null)[]>

/** More than the widest screen shows. */
const LONGEST = 300

export function seriesKey(
  host: string,
  kind: 'segment' | 'gpu' | 'engine' | 'process' | 'tier' | 'model',
  name: string,
): string {
  return `${host}\n${kind}\n${name}`
}

/** Pure: the history with one more look. What is no longer there is forgotten, so that a long run stays small. */
export function extendHistory(history: History, {hosts}: MonitorLook): History {
  const next = new Map<string, readonly (number | null)[]>()
  const add = (key: string, value: number | null): void => {
    const series = history.get(key)?.slice(1 - LONGEST) ?? []
    series.push(value)
    next.set(key, series)
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
