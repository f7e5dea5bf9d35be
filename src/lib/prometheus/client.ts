import {NetworkError} from '../foundation/index.js'
import type {HttpAnswer, HttpClient} from '../http/index.js'

/** One series of an answer: who it is of, and its samples in order of time. */
export interface PrometheusSeries {
  readonly labels: Readonly<Record<string, string>>
  /** Unix seconds and value. */
  readonly samples: readonly (readonly [number, number])[]
}

/** A Prometheus, or whatever speaks its query API (Thanos, Mimir, VictoriaMetrics). */
export interface Prometheus {
  /** Its address without credentials, for files and messages. */
  readonly url: string
  /**
   * What an expression gives at an instant: a range selector its samples, anything else one sample a series.
   *
   * @param atSeconds Unix time; without it late questions would be about another time than the run's
   * @throws NetworkError `PROMETHEUS_UNAVAILABLE`, `PROMETHEUS_REFUSED`
   */
  query(expression: string, atSeconds: number, signal: AbortSignal): Promise<PrometheusSeries[]>
}

const QUERY_MS = 15_000

interface Answer {
  readonly status?: string
  readonly error?: string
  readonly data?: {readonly result?: readonly RawSeries[]}
}

interface RawSeries {
  readonly metric?: Readonly<Record<string, string>>
  readonly value?: readonly [number, string]
  readonly values?: readonly (readonly [number, string])[]
}

/**
 * @param url its base address; a user and password in it are sent as such and never written
 * @see prometheus/prometheus:docs/querying/api.md
 */
export function createPrometheus(http: HttpClient, url: string, token: string | null): Prometheus {
  const parsed = new URL(url)
  const {username, password} = parsed
  parsed.username = parsed.password = ''
  const base = parsed.href.replace(/\/+$/, '')
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  const headers: Record<string, string> = {
    ...(username !== '' && {authorization: `Basic ${Buffer.from(user).toString('base64')}`}),
    ...(token !== null && {authorization: `Bearer ${token}`}),
  }
  return {
    url: base,
    async query(expression, atSeconds, signal) {
      const params = new URLSearchParams({query: expression, time: String(atSeconds)})
      const answer = await http
        .get(`${base}/api/v1/query?${params.toString()}`, {headers, signal, timeoutMs: QUERY_MS})
        .catch((error: unknown) => {
          signal.throwIfAborted()
          throw new NetworkError(
            'PROMETHEUS_UNAVAILABLE',
            `Prometheus at ${base} cannot be asked: ${reasonOf(error, base)}`,
          )
        })
      const {status, error, data} = answerOf(answer.text)
      if (answer.status === 200 && status === 'success') return (data?.result ?? []).map(seriesOf)
      const why = error ?? jsonFailure(answer)
      throw new NetworkError('PROMETHEUS_REFUSED', `Prometheus at ${base} refuses '${expression}': ${why}`)
    },
  }
}

/** The address is said once, without its query. */
function reasonOf(error: unknown, base: string): string {
  const said = error instanceof Error ? error.message : String(error)
  return said.startsWith(base) ? said.replace(/^\S+ /, 'it ') : said
}

function answerOf(text: string): Answer {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

function jsonFailure(answer: HttpAnswer): string {
  return answer.status === 200 ? 'its answer is not that of Prometheus' : `HTTP ${answer.status}`
}

/** Values are strings, `NaN` and `+Inf` among them, which tell nothing. */
function seriesOf({
  metric = {},
  value,
  values = value === undefined ? [] : [value],
}: RawSeries): PrometheusSeries {
  const labels = Object.fromEntries(Object.entries(metric).filter(([name]) => name !== '__name__'))
  const samples = values.map(([at, text]) => [at, Number(text)] as const)
  return {labels, samples: samples.filter(([, number]) => Number.isFinite(number))}
}
