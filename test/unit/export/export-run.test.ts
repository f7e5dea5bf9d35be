import {join} from 'node:path'
import {expect} from 'chai'
import {exportRun, type ExportedFile, type RunExport} from '../../../src/lib/export/index.js'
import {SMALL_RUN_ORIGIN_MS, writeSmallRun} from '../../support/small-run.js'
import {temporaryFolder} from '../../support/temporary.js'

type Json = Readonly<Record<string, unknown>>
const textOf = ({text}: ExportedFile): string => (typeof text === 'string' ? text : [...text].join(''))
const SLO = {ttft: 150}

describe('a run of two answers and a failure', () => {
  const folder = temporaryFolder()

  const exported = async (format: 'vllm' | 'guidellm' | 'aiperf', isDetailed = false): Promise<RunExport> => {
    const run = await writeSmallRun(join(folder(), 'run'), {slo: SLO})
    return exportRun(run, format, {isDetailed, percentiles: [99]})
  }

  it('has every key of vLLM, with its formulas and units', async () => {
    const {document, files} = await exported('vllm')
    expect(document).to.include({
      ...{backend: 'openai-chat', endpoint_type: 'openai-chat', label: null, model_id: 'org/toy'},
      ...{tokenizer_id: 'org/toy', num_prompts: 3, request_rate: 'inf', burstiness: 1, max_concurrency: 2},
      ...{completed: 2, failed: 1, total_input_tokens: 7 + 7, total_output_tokens: 3 + 2, rtfx: 0},
      ...{max_output_tokens_per_s: 3 + 2, max_concurrent_requests: 2},
    })
    const near = (key: string, value: number): void => {
      expect(document[key], key).to.be.closeTo(value, 1e-9)
    }
    near('duration', (270 - 10) / 1000)
    near('request_throughput', 2 / 0.26)
    near('request_goodput', 1 / 0.26)
    near('output_throughput', 5 / 0.26)
    near('total_token_throughput', (14 + 5) / 0.26)
    near('mean_ttft_ms', (100 + 200) / 2)
    near('median_ttft_ms', 150)
    near('std_ttft_ms', 50) // √((50² + 50²) / 2): by n
    near('p99_ttft_ms', 100 + 0.99 * 100)
    near('mean_tpot_ms', (50 / 2 + 40 / 1) / 2)
    near('mean_itl_ms', (20 + 30 + 40) / 3)
    near('std_itl_ms', Math.sqrt((100 + 0 + 100) / 3))
    near('mean_e2el_ms', (150 + 240) / 2)
    near('mean_client_queue_time_ms', (2 + 0) / 2)
    near('mean_e2el_including_client_queue_ms', (152 + 240) / 2)
    expect(document['date']).to.match(/^\d{8}-\d{6}$/)
    expect(document).to.not.have.any.keys('ttfts', 'itls')
    expect(files.map(({name}) => name)).to.deep.equal([
      `openai-chat-infqps-concurrency2-toy-${document['date'] as string}.json`,
    ])
  })

  it('has one entry a request under --detailed, in seconds', async () => {
    const {document} = await exported('vllm', true)
    expect(document).to.deep.include({
      input_lens: [7, 7, 0],
      output_lens: [3, 2, 0],
      ttfts: [0.1, 0.2, 0],
      itls: [[0.02, 0.03], [0.04], []],
      start_times: [0.01, 0.02, 0.03],
      generated_texts: ['', '', ''],
      errors: ['', '', 'the queue is full'],
      latencies: [0.15, 0.24, 0.012],
      queue_times: [0.002, 0, 0],
    })
  })

  it('has every key of GuideLLM, with its formulas and units', async () => {
    const {document, files} = await exported('guidellm')
    expect(Object.keys(document)).to.deep.equal(['metadata', 'config', 'benchmarks'])
    const [benchmark] = document['benchmarks'] as [Json]
    expect(benchmark).to.have.all.keys(
      ...['type_', 'config', 'scheduler_state', 'scheduler_metrics', 'metrics', 'requests', 'start_time'],
      ...['end_time', 'duration', 'warmup_duration', 'cooldown_duration'],
    )
    expect(benchmark['start_time']).to.be.closeTo((SMALL_RUN_ORIGIN_MS + 10) / 1000, 1e-3)
    const metrics = benchmark['metrics'] as Record<string, Record<string, Json>>
    expect(metrics).to.have.all.keys(
      ...['request_totals', 'requests_per_second', 'request_concurrency', 'request_latency'],
      ...['prompt_token_count', 'output_token_count', 'total_token_count', 'time_to_first_token_ms'],
      ...['time_to_first_output_token_ms', 'time_per_output_token_ms', 'inter_token_latency_ms'],
      ...['prompt_tokens_per_second', 'output_tokens_per_second', 'tokens_per_second'],
      ...['output_tokens_per_iteration', 'iter_tokens_per_iteration'],
    )
    expect(metrics['request_totals']).to.deep.equal({successful: 2, incomplete: 0, errored: 1, total: 3})
    const mean = (name: string, group = 'successful'): unknown => metrics[name]![group]!['mean']
    expect(mean('request_latency')).to.be.closeTo((0.155 + 0.25) / 2, 1e-9)
    expect(mean('request_latency', 'errored')).to.be.closeTo(0.012, 1e-9)
    expect(mean('request_latency', 'total')).to.be.closeTo((0.155 + 0.25 + 0.012) / 3, 1e-9)
    expect(mean('time_per_output_token_ms')).to.be.closeTo((155 / 3 + 250 / 2) / 2, 1e-9)
    expect(mean('inter_token_latency_ms')).to.be.closeTo((25 + 40) / 2, 1e-9)
    expect(mean('requests_per_second')).to.be.closeTo(2 / 0.26, 1e-9)
    expect(mean('output_tokens_per_second')).to.be.closeTo(5 / 0.26, 1e-9)
    // 1 for 10 ms, 2 for 145 ms, 1 for 105 ms
    expect(mean('request_concurrency')).to.be.closeTo((10 + 2 * 145 + 105) / 260, 1e-9)
    const ttft = metrics['time_to_first_token_ms']!['successful']!
    expect(ttft).to.have.all.keys(
      ...['mean', 'median', 'mode', 'variance', 'std_dev', 'min', 'max', 'count', 'total_sum'],
      ...['percentiles', 'pdf'],
    )
    expect(ttft).to.deep.include({median: 100, variance: 2500, std_dev: 50, count: 2, total_sum: 300})
    expect(ttft['percentiles']).to.include({p001: 100, p50: 100, p75: 200, p999: 200})
    const requests = benchmark['requests'] as Record<string, Json[]>
    expect(requests['errored']).to.have.length(1)
    expect(requests['successful']![0]).to.deep.include({prompt_tokens: 7, output_tokens: 3, total_tokens: 10})
    expect(requests['successful']![0]!['request_latency']).to.be.closeTo(0.155, 1e-9)
    expect(files.map(({name}) => name)).to.deep.equal(['benchmarks.json'])
  })

  it('has every tag of AIPerf, with its formulas and units, and one record a request', async () => {
    const {document, files} = await exported('aiperf')
    const expected: Record<string, [unit: string, avg: number]> = {
      time_to_first_token: ['ms', 150],
      time_to_second_token: ['ms', (20 + 40) / 2],
      time_to_first_output_token: ['ms', 150],
      inter_token_latency: ['ms', (25 + 40) / 2],
      inter_chunk_latency: ['ms', (20 + 30 + 40) / 3],
      request_latency: ['ms', (150 + 240) / 2],
      effective_latency: ['ms', (152 + 240) / 2],
      output_token_throughput: ['tokens/sec', 5 / 0.26],
      output_token_throughput_per_user: ['tokens/sec/user', (1000 / 25 + 1000 / 40) / 2],
      total_token_throughput: ['tokens/sec', 19 / 0.26],
      request_throughput: ['requests/sec', 2 / 0.26],
      request_count: ['requests', 2],
      error_request_count: ['requests', 1],
      input_sequence_length: ['tokens', 7],
      output_sequence_length: ['tokens', 2.5],
      output_token_count: ['tokens', 2.5],
      reasoning_token_count: ['tokens', 0],
      benchmark_duration: ['sec', 0.26],
      goodput: ['requests/sec', 1 / 0.26],
      good_request_count: ['requests', 1],
      good_request_fraction: ['ratio', 1 / 3],
    }
    for (const [tag, [unit, avg]] of Object.entries(expected)) {
      const metric = document[tag] as {unit: string; avg: number}
      expect(metric.unit, tag).to.equal(unit)
      expect(metric.avg, tag).to.be.closeTo(avg, 1e-9)
    }
    expect(document['time_to_first_token']).to.deep.equal({
      ...{unit: 'ms', avg: 150, min: 100, max: 200, std: 50, count: 2, sum: 300},
      ...{p1: 101, p5: 105, p10: 110, p25: 125, p50: 150, p75: 175, p90: 190, p95: 195, p99: 199},
    })
    expect(document['error_summary']).to.deep.equal([
      {error_details: {code: null, type: 'http_5xx', message: 'the queue is full'}, count: 1},
    ])
    expect(document).to.include({was_cancelled: false, benchmark_id: 'run'})
    const records = textOf(files[1]!)
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, Json>)
    expect(files[1]!.name).to.equal('profile_export.jsonl')
    expect(records).to.have.length(3)
    expect(records[0]!['metrics']).to.deep.include({
      time_to_first_token: {value: 100, unit: 'ms'},
      inter_chunk_latency: {value: [20, 30], unit: 'ms'},
    })
    expect(records[2]!['error']).to.deep.equal({type: 'http_5xx', message: 'the queue is full'})
  })

  it('of nothing but failures has zeros for vLLM, and no empty distributions for the others', async () => {
    const {SMALL_RUN_RECORDS} = await import('../../support/small-run.js')
    const run = await writeSmallRun(join(folder(), 'failed'), {}, SMALL_RUN_RECORDS.slice(2))
    const {document} = await exportRun(run, 'vllm', {isDetailed: true, percentiles: [99]})
    expect(document).to.include({
      completed: 0,
      failed: 1,
      mean_ttft_ms: 0,
      p99_itl_ms: 0,
      request_goodput: null,
    })
    expect(
      (await exportRun(run, 'aiperf', {isDetailed: false, percentiles: []})).document,
    ).to.not.have.property('time_to_first_token')
    const guide = (await exportRun(run, 'guidellm', {isDetailed: false, percentiles: []})).document
    expect(guide).to.have.nested.property('benchmarks[0].metrics.request_latency.successful.mean', null)
  })
})
