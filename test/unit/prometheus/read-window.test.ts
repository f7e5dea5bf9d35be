import {expect} from 'chai'
import {systemClock} from '../../../src/lib/foundation/index.js'
import {createHttpClient, type HttpClient} from '../../../src/lib/http/index.js'
import {createPrometheus, readWindow, recordWindow} from '../../../src/lib/prometheus/index.js'
import {readPrometheusWindow} from '../../../src/lib/runs/index.js'
import {startPrometheusStandIn, type PrometheusStandIn} from '../../support/prometheus-stand-in.js'
import {temporaryFolder} from '../../support/temporary.js'

const NEVER = new AbortController().signal
const OF = {namespace: 'ml', service: 'demo'}
const SPAN = {start: 1000, end: 1060}
const POD = 'namespace="ml",pod="demo-predictor-7d4-x"'

describe('a window of Prometheus', () => {
  const folder = temporaryFolder()
  let standIn: PrometheusStandIn
  let http: HttpClient

  beforeEach(async () => {
    standIn = await startPrometheusStandIn()
    http = createHttpClient()
  })
  afterEach(async () => {
    await http.close()
    await standIn.close()
  })

  const read = (of: typeof OF | null = OF) =>
    readWindow(createPrometheus(http, standIn.url, null), of, SPAN, NEVER)

  it('holds the samples of the pods of a service and of no other, in our units, and the query of each', async () => {
    standIn.series = {
      [`DCGM_FI_DEV_FB_USED{gpu="0",${POD}}`]: [
        [900, 1],
        [1000, 1024],
        [1060, 2048],
      ],
      'DCGM_FI_DEV_FB_USED{gpu="1",namespace="ml",pod="demo2-predictor-1"}': [[1000, 7]],
      'DCGM_FI_DEV_FB_USED{gpu="2",namespace="other",pod="demo-predictor-1"}': [[1000, 7]],
      [`container_cpu_usage_seconds_total{container="kserve-container",${POD}}`]: [[1000, 5]],
      [`container_cpu_usage_seconds_total{container="",${POD}}`]: [[1000, 9]],
    }
    const {series, queries, missing} = await read()
    expect(series['gpu_memory_bytes']).to.deep.equal([
      {
        labels: {gpu: '0', namespace: 'ml', pod: 'demo-predictor-7d4-x'},
        // From a minute before the window to a minute after it; dcgm-exporter counts MiB.
        samples: [
          [1000, 2 ** 30],
          [1060, 2 ** 31],
        ],
      },
    ])
    expect(series['cpu_seconds']).to.have.length(1)
    expect(queries['gpu_memory_bytes']).to.equal(
      String.raw`DCGM_FI_DEV_FB_USED{namespace="ml",pod=~"demo-(?:predictor|kserve)-.*"}[180s]`,
    )
    expect(missing).to.include('gpu_power_watts').and.not.include('cpu_seconds')
  })

  it('finds labels that Prometheus renamed, older names, and vLLM’s series by the name of the model', async () => {
    standIn.series = {
      'nvidia_gpu_power_watts{exported_namespace="ml",exported_pod="demo-predictor-1"}': [[1010, 300]],
      'vllm:gpu_cache_usage_perc{model_name="demo"}': [[1010, 0.5]],
    }
    const {series, queries} = await read()
    expect(series['gpu_power_watts']![0]!.samples).to.deep.equal([[1010, 300]])
    expect(queries['kv_cache_usage']).to.equal('vllm:gpu_cache_usage_perc{model_name="demo"}[180s]')
    expect(series['kv_cache_usage']).to.have.length(1)
  })

  it('holds everything that is scraped where no service is named', async () => {
    standIn.series = {
      'vllm:num_requests_running{instance="a"}': [[1010, 1]],
      'vllm:num_requests_running': [[1010, 2]],
    }
    const {series, queries} = await read(null)
    expect(series['running']).to.have.length(2)
    expect(queries['running']).to.equal('vllm:num_requests_running[180s]')
  })

  it('has the growth of histograms over the window alone, all pods together', async () => {
    const bucket = (le: string, pod: string): string =>
      `vllm:time_to_first_token_seconds_bucket{le="${le}",namespace="ml",pod="demo-predictor-${pod}"}`
    const grows = (by: number): [number, number][] => [
      [1001, 10],
      [1060, 10 + by],
      [1100, 99],
    ]
    standIn.series = {
      [bucket('+Inf', 'a')]: grows(4),
      [bucket('0.1', 'a')]: grows(1),
      [bucket('0.5', 'a')]: grows(3),
      [bucket('+Inf', 'b')]: grows(2),
      [bucket('0.1', 'b')]: grows(2),
      [bucket('0.5', 'b')]: grows(2),
      'vllm:time_to_first_token_seconds_sum{namespace="ml",pod="demo-predictor-a"}': grows(1.5),
    }
    expect((await read()).histograms).to.deep.equal({
      ttft: {bounds: [0.1, 0.5, null], counts: [3, 5, 6], sum: 1.5},
    })
  })

  it('waits for the scrape after a run that has just ended, and no longer than it was told', async () => {
    const series = `vllm:num_requests_running{${POD}}`
    standIn.series = {[series]: [[1050, 1]]}
    const run = {path: folder(), runId: 'run'}
    let nowMs = 1_060_000
    const clock = {
      ...systemClock,
      async sleep() {
        nowMs += 10_000
        if (nowMs > 1_075_000)
          standIn.series = {
            [series]: [
              [1050, 1],
              [1070, 1],
            ],
          }
      },
    }
    const prometheus = createPrometheus(http, standIn.url, null)
    const options = {clock, nowMs: () => nowMs, settleMs: 60_000}
    const window = await recordWindow(run, prometheus, OF, SPAN, options, NEVER)
    expect(nowMs).to.equal(1_080_000)
    expect(await readPrometheusWindow(run)).to.deep.equal(window)
    standIn.series = {[series]: [[1050, 1]]}
    await recordWindow(run, prometheus, OF, SPAN, {...options, settleMs: 25_000}, NEVER)
    expect(nowMs).to.equal(1_090_000)
  })

  it('is asked for with a user or a token, which stand in no file and no message', async () => {
    const url = standIn.url.replace('//', '//reader:s%40cret@')
    const window = await readWindow(createPrometheus(http, url, null), OF, SPAN, NEVER)
    expect(window.url).to.equal(standIn.url)
    await readWindow(createPrometheus(http, standIn.url, 'abc'), OF, SPAN, NEVER)
    expect([...standIn.authorizations]).to.deep.equal([
      `Basic ${Buffer.from('reader:s@cret').toString('base64')}`,
      'Bearer abc',
    ])
  })

  it('says what is refused and where nobody answers, in one line', async () => {
    const failure = async (url: string): Promise<string> =>
      createPrometheus(http, url, null)
        .query('up{', 1000, NEVER)
        .then(
          () => '',
          (error: unknown) => (error as Error).message,
        )
    expect(await failure(standIn.url)).to.equal(
      `Prometheus at ${standIn.url} refuses 'up{': parse error: up{`,
    )
    expect(await failure('http://u:p@127.0.0.1:1')).to.match(
      /^Prometheus at http:\/\/127\.0\.0\.1:1 cannot be asked: it cannot be reached: connect ECONNREFUSED/,
    )
  })
})
