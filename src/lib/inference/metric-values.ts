import {parsePrometheusText} from './prometheus-text.js'

/** Pure: series of a metrics page by their name, each summed over its labels; those that are not there are left out. */
export function metricValues(metricsText: string, names: readonly string[]): ReadonlyMap<string, number> {
  const wanted = new Set(names)
  const values = new Map<string, number>()
  for (const {name, value} of parsePrometheusText(metricsText, one => wanted.has(one)))
    if (Number.isFinite(value)) values.set(name, (values.get(name) ?? 0) + value)
  return values
}
