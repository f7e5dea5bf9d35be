import type {PlanJson} from '../lib/bench/index.js'

/** A resolved plan for people: one `name value` line each. */
export function planText({target, resume, plan}: PlanJson): string {
  const show = (value: unknown): string =>
    value === null ? '-' : typeof value === 'string' ? value : JSON.stringify(value)
  const rows: [string, unknown][] = [
    ['target', target.is_embedded ? "kvctl's own engine" : target.urls.join(' ')],
    ['model', target.model ?? 'the first that the server lists'],
    ...Object.entries(resume ?? {}),
    ...Object.entries(plan),
  ]
  return rows.map(([name, value]) => `${name.padEnd(18)} ${show(value)}`).join('\n')
}
