import {performance} from 'node:perf_hooks'
import {NetworkError} from '../foundation/index.js'
import type {HttpClient} from '../http/index.js'
import {bearer, engineFiguresOf, fetchMetricsText, fetchVersion} from '../inference/index.js'
import type {EngineSight, StatsSight} from './judge-network.js'

const LIMIT_MS = 1500

/** Asks an engine for health, version and figures. Never fails because of the engine. */
export async function askEngine(
  http: HttpClient,
  url: string,
  isAsked: boolean,
  signal: AbortSignal,
): Promise<EngineSight> {
  const baseUrl = url.replace(/\/+$/, '')
  try {
    const [{status}, version, metrics] = await Promise.all([
      http.get(`${baseUrl}/health`, {timeoutMs: LIMIT_MS, signal}),
      fetchVersion(http, baseUrl, signal),
      fetchMetricsText(http, baseUrl, signal),
    ])
    const figures = metrics === null ? null : engineFiguresOf(metrics)
    return {url, isAsked, status, problem: null, version, figures}
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error
    return {url, isAsked, status: null, problem: error.message, version: null, figures: null}
  }
}

/** Asks a server for its GPU figures, twice: the second answer must come from its cache. */
export async function askStats(
  http: HttpClient,
  url: string,
  token: string | null,
  signal: AbortSignal,
): Promise<StatsSight> {
  const address = `${url.replace(/\/+$/, '')}/proxy/stats`
  const options = {headers: bearer(token), timeoutMs: LIMIT_MS, signal}
  try {
    const startMs = performance.now()
    const first = await http.get(address, options)
    const tookMs = performance.now() - startMs
    const second = await http.get(address, options)
    const document = documentOf(first.text)
    return {
      url,
      problem: null,
      status: first.status,
      tookMs,
      error: typeof document.error === 'string' ? document.error : null,
      ageMs: ageMs(document.timestamp, first.headers['date']),
      secondCache: second.headers['x-cache'] ?? null,
    }
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error
    const nothing = {status: 0, tookMs: 0, error: null, ageMs: null, secondCache: null}
    return {url, problem: error.message, ...nothing}
  }
}

function documentOf(text: string): {error?: unknown; timestamp?: unknown} {
  try {
    return JSON.parse(text) as {error?: unknown; timestamp?: unknown}
  } catch {
    return {}
  }
}

/** By the server's clock: ours may differ from it. */
function ageMs(timestamp: unknown, date: string | undefined): number | null {
  const [taken, now] = [Date.parse(String(timestamp)), Date.parse(date ?? '')]
  return Number.isNaN(taken) || Number.isNaN(now) ? null : now - taken
}
