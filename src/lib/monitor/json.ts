import type {MonitorLook} from './host-look.js'

/** One look on the wire: a line of `kvctl kvtop --json` and of a recording. Names are snake_case, values the same. */
export function monitorJson({takenAtMs, hosts}: MonitorLook): object {
  return {schema_version: 1, time: new Date(takenAtMs).toISOString(), hosts: renamed(hosts, snakeCase)}
}

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)

function renamed(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map(item => renamed(item, rename))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [rename(name), renamed(inner, rename)]),
  )
}
