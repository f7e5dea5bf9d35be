import {systemClock} from '../lib/foundation/index.js'
import type {RunDirectory} from '../lib/runs/index.js'
import {urlFlag} from './flags.js'
import {whileWaiting} from './waiting-line.js'

/** Where utilisation and energy are asked for. */
export const promUrlFlag = urlFlag({
  description:
    'Prometheus that scrapes the server: utilisation, energy and cache of the run (also PROMETHEUS_URL)',
})

/** Null where nobody named one. */
export function promUrlOf(flag: string | undefined): string | null {
  return flag ?? (process.env['PROMETHEUS_URL'] || null)
}

export interface AskedPrometheus {
  readonly url: string
  readonly isInsecure: boolean
  /** Whose series; null for everything that is scraped. */
  readonly of: {readonly namespace: string; readonly service: string} | null
}

/** The longest usual scrape interval. */
const SETTLE_MS = 35_000

/**
 * Asks for nothing, to find out before a run whether somebody will answer after it.
 *
 * @throws NetworkError `PROMETHEUS_UNAVAILABLE`, `PROMETHEUS_REFUSED`
 */
export async function requirePrometheus(
  url: string,
  isInsecure: boolean,
  signal: AbortSignal,
): Promise<void> {
  const {createHttpClient} = await import('../lib/http/index.js')
  const {createPrometheus} = await import('../lib/prometheus/index.js')
  const http = createHttpClient({isInsecure})
  try {
    const prometheus = createPrometheus(http, url, process.env['PROMETHEUS_TOKEN'] || null)
    await prometheus.query('up[1s]', Date.now() / 1000, signal)
  } finally {
    await http.close()
  }
}

/**
 * Writes into a run what Prometheus knows of its window, for every later analysis.
 *
 * @returns what to tell of it, one line each
 * @throws NetworkError `PROMETHEUS_UNAVAILABLE`, `PROMETHEUS_REFUSED`
 */
export async function recordPrometheus(
  run: RunDirectory,
  {url, isInsecure, of}: AskedPrometheus,
  signal: AbortSignal,
): Promise<string[]> {
  const {createHttpClient} = await import('../lib/http/index.js')
  const {createPrometheus, recordWindow} = await import('../lib/prometheus/index.js')
  const {runSpan} = await import('../lib/analysis/index.js')
  const span = await runSpan(run)
  if (span === null) return ['Prometheus is not asked: the run has no request that ended']
  const http = createHttpClient({isInsecure})
  try {
    const prometheus = createPrometheus(http, url, process.env['PROMETHEUS_TOKEN'] || null)
    const options = {clock: systemClock, nowMs: () => Date.now(), settleMs: SETTLE_MS}
    const {series} = await whileWaiting(
      'Waiting for the next scrape of Prometheus',
      SETTLE_MS,
      recordWindow(run, prometheus, of, span, options, signal),
    )
    if (Object.keys(series).length === 0) {
      const whose = of === null ? '' : ` of ${of.service} in ${of.namespace}`
      return [`Prometheus at ${prometheus.url} has no series${whose} over the run`]
    }
    return of === null ? ['no --service is named: figures are of everything that Prometheus scrapes'] : []
  } finally {
    await http.close()
  }
}
