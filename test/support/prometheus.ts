import {spawn, type ChildProcess} from 'node:child_process'
import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {freePort} from './free-port.js'
import {until} from './until.js'

export interface Prometheus {
  readonly child: ChildProcess
  readonly url: string
  /** What a query gives, as soon as it gives one value. */
  valueOf(query: string): Promise<string>
}

/** What is scraped, and the labels that its series get, as a cluster's discovery gives them. */
export interface ScrapeTarget {
  readonly url: string
  readonly token?: string
  readonly labels?: Readonly<Record<string, string>>
}

/**
 * A real Prometheus that scrapes `/metrics` of a server every 500 ms.
 *
 * @param folder for its configuration and data
 * @param url of the server
 * @param token that the server asks for
 */
export async function startPrometheus(folder: string, url: string, token: string): Promise<Prometheus> {
  return scrape(folder, [{url, token}])
}

/** A real Prometheus that scrapes several servers every 500 ms. */
export async function scrape(folder: string, targets: readonly ScrapeTarget[]): Promise<Prometheus> {
  const config = join(folder, 'prometheus.yml')
  const jobs = targets.map(({url, token, labels = {}}, index) => ({
    job_name: `kvctl-${index}`,
    ...{scrape_interval: '500ms', scrape_timeout: '500ms'},
    ...(token !== undefined && {authorization: {credentials: token}}),
    static_configs: [{targets: [new URL(url).host], labels}],
  }))
  writeFileSync(config, JSON.stringify({scrape_configs: jobs}))
  const address = `127.0.0.1:${await freePort()}`
  const child = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--web.listen-address=${address}`,
      `--storage.tsdb.path=${join(folder, 'tsdb')}`,
    ],
    {stdio: 'ignore'},
  )
  const ask = async (query: string): Promise<string | null> => {
    const path = `/api/v1/query?query=${encodeURIComponent(query)}`
    const response = await fetch(`http://${address}${path}`).catch(() => null)
    if (response?.status !== 200) return null
    const {data} = (await response.json()) as {data: {result: {value: [number, string]}[]}}
    return data.result[0]?.value[1] ?? null
  }
  return {
    child,
    url: `http://${address}`,
    async valueOf(query) {
      let value: string | null = null
      await until(
        async () => (value = await ask(query)) !== null,
        () => `Prometheus has nothing for ${query}`,
      )
      return value!
    },
  }
}
