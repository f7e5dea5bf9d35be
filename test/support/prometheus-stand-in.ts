import {once} from 'node:events'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'

/** Samples of one series: name and labels as Prometheus prints them, `metric{label="x"}`, and Unix seconds with values. */
export type StoredSeries = Readonly<Record<string, readonly (readonly [number, number])[]>>

/**
 * The query API of a Prometheus over given samples, for what the real one cannot be given: other times, other exporters.
 * Understands selectors with `=`, `=~` and `!=`, ranges, and `sum(increase())` by `le` or of all.
 *
 * @see prometheus/prometheus:docs/querying/api.md
 */
export interface PrometheusStandIn {
  readonly url: string
  readonly queries: string[]
  series: StoredSeries
  /** Of every request; null where none came. */
  readonly authorizations: Set<string | null>
  close(): Promise<void>
}

export async function startPrometheusStandIn(series: StoredSeries = {}): Promise<PrometheusStandIn> {
  const standIn: PrometheusStandIn = {
    ...{url: '', series, queries: [], authorizations: new Set()},
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://localhost')
    const [query, time] = [url.searchParams.get('query') ?? '', Number(url.searchParams.get('time'))]
    standIn.queries.push(query)
    standIn.authorizations.add(request.headers.authorization ?? null)
    const send = (status: number, body: object): void => {
      response.writeHead(status, {'content-type': 'application/json'}).end(JSON.stringify(body))
    }
    try {
      if (url.pathname !== '/api/v1/query') throw new Error(`no route ${url.pathname}`)
      send(200, {status: 'success', data: evaluate(query, time, standIn.series)})
    } catch (error) {
      send(400, {status: 'error', errorType: 'bad_data', error: (error as Error).message})
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(standIn, {url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`})
}

interface Matched {
  readonly labels: Record<string, string>
  readonly samples: readonly (readonly [number, number])[]
}

function evaluate(query: string, time: number, series: StoredSeries): object {
  const sum = /^sum(?: by \((\w+)\))? ?\((.*)\)$/.exec(query)
  if (!sum) {
    const found = select(query, time, series)
    return {
      resultType: 'matrix',
      result: found.map(({labels, samples}) => ({
        metric: labels,
        values: samples.map(([at, value]) => [at, String(value)]),
      })),
    }
  }
  const inner = /^increase\((.*)\)$/.exec(sum[2]!)
  if (!inner) throw new Error(`unknown expression ${query}`)
  const totals = new Map<string, number>()
  for (const {labels, samples} of select(inner[1]!, time, series)) {
    const key = sum[1] === undefined ? '' : (labels[sum[1]] ?? '')
    totals.set(key, (totals.get(key) ?? 0) + samples.at(-1)![1] - samples[0]![1])
  }
  const result = [...totals].map(([key, value]) => ({
    metric: sum[1] === undefined ? {} : {[sum[1]]: key},
    value: [time, String(value)],
  }))
  return {resultType: 'vector', result}
}

function select(query: string, time: number, series: StoredSeries): Matched[] {
  const [, name, matchers = '', seconds] = /^([\w:]+)(?:\{(.*)\})?\[(\d+)s(?::\d+s)?\]$/.exec(query) ?? []
  if (name === undefined) throw new Error(`parse error: ${query}`)
  const wanted = [...matchers.matchAll(/(\w+)(=~|!=|=)"((?:[^"\\]|\\.)*)"/g)]
  return Object.entries(series).flatMap(([id, samples]) => {
    const [, metric, text = ''] = /^([\w:]+)(?:\{(.*)\})?$/.exec(id)!
    const labels = Object.fromEntries(
      [...text.matchAll(/(\w+)="([^"]*)"/g)].map(match => [match[1]!, match[2]!]),
    )
    const fits = wanted.every(([, label, operator, quotedValue]) => {
      const [value, is] = [JSON.parse(`"${quotedValue!}"`) as string, labels[label!] ?? '']
      if (operator === '=') return is === value
      return operator === '!=' ? is !== value : new RegExp(`^(?:${value})$`).test(is)
    })
    const within = samples.filter(([at]) => at > time - Number(seconds) && at <= time)
    return metric === name && fits && within.length > 0
      ? [{labels: {__name__: name, ...labels}, samples: within}]
      : []
  })
}
