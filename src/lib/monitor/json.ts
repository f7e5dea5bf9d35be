import {ConfigurationError} from '../foundation/index.js'
import type {MonitorLook} from './host-look.js'

const SCHEMA_VERSION = 1

/** One look on the wire: a line of `kvctl kvtop --json` and of a recording. Names are snake_case, values the same. */
export function monitorJson({takenAtMs, hosts}: MonitorLook): object {
  return {
    schema_version: SCHEMA_VERSION,
    time: new Date(takenAtMs).toISOString(),
    hosts: renamed(hosts, snakeCase),
  }
}

/**
 * Pure: the look of a recorded line, the same that was recorded.
 *
 * @param at where the line stands, for the error
 * @throws ConfigurationError `RECORDING_INVALID`
 */
export function parseMonitorLine(line: string, at: string): MonitorLook {
  const invalid = (why: string): ConfigurationError =>
    new ConfigurationError('RECORDING_INVALID', `${at} is no look of kvtop: ${why}`, {
      suggestions: ['record one with kvctl kvtop --record FILE, or kvctl kvtop --json > FILE'],
    })
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw invalid('it is not JSON')
  }
  if (!isRecord(value) || value['schema_version'] !== SCHEMA_VERSION) {
    throw invalid(`it has no "schema_version": ${SCHEMA_VERSION}`)
  }
  const takenAtMs = typeof value['time'] === 'string' ? Date.parse(value['time']) : NaN
  if (Number.isNaN(takenAtMs)) throw invalid('it has no "time"')
  const hosts = renamed(value['hosts'], camelCase)
  const missing = missingIn(hosts)
  if (missing !== null) throw invalid(`it has no ${missing}`)
  return {takenAtMs, hosts: hosts as MonitorLook['hosts']}
}

const HOST_LISTS = ['segments', 'devices', 'processes', 'engines', 'tiers', 'models'] as const
/** What every row is known by; the rest may be null, but not absent. */
const ROW_KEYS = {
  segments: ['name', 'state', 'warnings'],
  devices: ['index', 'state'],
  processes: ['pid'],
  engines: ['url', 'state', 'devices', 'pids'],
  tiers: ['name', 'worker'],
  models: ['name', 'controller', 'phase'],
} as const

function missingIn(hosts: unknown): string | null {
  if (!Array.isArray(hosts)) return '"hosts"'
  for (const host of hosts) {
    if (!isRecord(host) || typeof host['host'] !== 'string') return '"host"'
    for (const list of HOST_LISTS) {
      const rows = host[list]
      if (!Array.isArray(rows)) return `"${list}"`
      for (const key of ROW_KEYS[list]) {
        if (!rows.every(row => isRecord(row) && row[key] !== undefined)) return `"${key}" in "${list}"`
      }
    }
  }
  return null
}

const snakeCase = (name: string): string => name.replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
const camelCase = (name: string): string =>
  name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function renamed(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map(item => renamed(item, rename))
  if (!isRecord(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [rename(name), renamed(inner, rename)]),
  )
}
