import {expect} from 'chai'
import {join} from 'node:path'
import {exportRun, type RunExport} from '../../src/lib/export/index.js'
import {createTimeSeriesWriter, type RunMeta, type TimeSample} from '../../src/lib/runs/index.js'
import {SMALL_RUN_ORIGIN_MS, writeSmallRun} from '../support/small-run.js'
import {temporaryFolder} from '../support/temporary.js'

/**
 * Every documented key of the files that other tools read, with its unit. The small run makes units tell themselves apart: its
 * times are 1 to 270 ms, so that the same figure in seconds is below 1.
 */
const UNITS = {
  text: (value: unknown) => typeof value === 'string',
  'text or null': (value: unknown) => value === null || typeof value === 'string',
  boolean: (value: unknown) => typeof value === 'boolean',
  object: (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value),
  list: (value: unknown) => Array.isArray(value),
  nothing: (value: unknown) => value === null,
  count: (value: unknown) => Number.isInteger(value) && Number(value) >= 0,
  s: (value: unknown) => numbersIn(value).every(one => one >= 0 && one < 1),
  ms: (value: unknown) => numbersIn(value).every(one => one >= 1 && one < 1000),
  'per s': (value: unknown) => typeof value === 'number' && value > 1,
  'epoch s': (value: unknown) => isNear(value, SMALL_RUN_ORIGIN_MS / 1000, 1),
  'epoch ns': (value: unknown) => isNear(value, SMALL_RUN_ORIGIN_MS * 1e6, 1e9),
  ratio: (value: unknown) => typeof value === 'number' && value >= 0 && value <= 1,
  percent: (value: unknown) => typeof value === 'number' && value > 1 && value <= 100,
  tokens: (value: unknown) => typeof value === 'number' && value >= 0 && value < 100,
} as const
type Unit = keyof typeof UNITS
type Contract = Readonly<Record<string, Unit>>

function numbersIn(value: unknown): number[] {
  return typeof value === 'number' ? [value] : (value as unknown[]).flatMap(numbersIn)
}

function isNear(value: unknown, wanted: number, within: number): boolean {
  return typeof value === 'number' && Math.abs(value - wanted) <= within
}

/** Holds an object to exactly these keys. */
function expectKeys(value: unknown, contract: Contract): void {
  expect(value).to.have.all.keys(...Object.keys(contract))
  for (const [key, unit] of Object.entries(contract)) {
    const part = (value as Record<string, unknown>)[key]
    expect(UNITS[unit](part), `${key} = ${JSON.stringify(part)} is ${unit}`).to.equal(true)
  }
}

function each<T extends Unit>(unit: T, ...keys: string[]): Record<string, T> {
  return Object.fromEntries(keys.map(key => [key, unit]))
}

const OPEN_RAMP: Partial<RunMeta> = {
  ...{mode: 'open', pattern: 'ramp', target_rps: 10, requests: 3, plan: {ramp_from_per_second: 18}},
}

describe('exported documents', () => {
  const folder = temporaryFolder()

  const exported = async (
    format: 'vllm' | 'guidellm' | 'aiperf',
    meta: Partial<RunMeta> = {},
    samples: readonly TimeSample[] = [],
  ): Promise<RunExport> => {
    const run = await writeSmallRun(join(folder(), 'run'), {slo: {ttft: 150}, ...meta})
    const series = await createTimeSeriesWriter(run)
    for (const sample of samples) await series.append(sample)
    await series.close()
    return exportRun(run, format, {isDetailed: true, percentiles: [50, 99, 99.9]})
  }

  /** @see vllm-project/vllm:vllm/benchmarks/serve.py — result_json */
  const VLLM: Contract = {
    ...each('text', 'date', 'endpoint_type', 'backend', 'model_id', 'tokenizer_id'),
    ...each('count', 'num_prompts', 'completed', 'failed', 'total_input_tokens', 'total_output_tokens'),
    ...each('count', 'max_output_tokens_per_s', 'max_concurrent_requests', 'rtfx', 'burstiness'),
    ...each('per s', 'request_throughput', 'request_goodput', 'output_throughput', 'total_token_throughput'),
    ...each('s', 'duration', 'ttfts', 'itls', 'start_times', 'latencies', 'queue_times'),
    ...each('list', 'input_lens', 'output_lens', 'generated_texts', 'errors'),
    ...Object.fromEntries(
      ['ttft', 'tpot', 'itl', 'e2el', 'client_queue_time', 'e2el_including_client_queue'].flatMap(name =>
        ['mean', 'median', 'std', 'p50', 'p99', 'p99.9'].map(
          statistic => [`${statistic}_${name}_ms`, 'ms'] as const,
        ),
      ),
    ),
    label: 'nothing',
  }

  it("vLLM's has every key of bench serve, arrays in seconds, what ends in _ms in milliseconds", async () => {
    const {document} = await exported('vllm')
    const {steady_state: steady, ...rest} = document
    expectKeys(rest, {...VLLM, request_rate: 'text', max_concurrency: 'count'})
    expectKeys((steady as {window: unknown}).window, {
      ...each('s', 'start_s', 'end_s', 'duration_s'),
      ...each('count', 'target_concurrency', 'threshold', 'threshold_abs', 'observed_peak'),
      ...each('count', 'requests_started_in_window', 'requests_completed_in_window', 'requests_total'),
      warning: 'nothing',
    })
  })

  it("vLLM's tells of a ramp when each whole rate was reached", async () => {
    const {document} = await exported('vllm', OPEN_RAMP)
    expectKeys(document, {
      ...VLLM,
      ...each('per s', 'request_rate', 'ramp_up_start_rps', 'ramp_up_end_rps'),
      ...{max_concurrency: 'nothing', ramp_up_strategy: 'text', rps_change_events: 'list'},
    })
    expect(document).to.include({ramp_up_strategy: 'linear', ramp_up_start_rps: 18, ramp_up_end_rps: 2})
    const events = document['rps_change_events'] as {rps: number; timestamp: string}[]
    expect(events.map(({rps}) => rps)).to.deep.equal(Array.from({length: 17}, (_, at) => 18 - at))
    // From 18 to 2 in 3 / 10 s: 10 is reached at half of it.
    const [first, middle] = [events[0]!, events[8]!].map(({timestamp}) => new Date(timestamp).getTime())
    expect(middle! - first!).to.equal(150)
  })

  it("vLLM's tells of speculative decoding what the server counted, the rate in percent", async () => {
    const engine = {
      ...{running: 0, waiting: 0, kv_cache_usage: 0, preemptions_total: 0, prompt_tokens_total: 0},
      ...{generation_tokens_total: 0, prefix_cache_queries_total: 0, prefix_cache_hits_total: 0},
    }
    const {document} = await exported('vllm', OPEN_RAMP, [
      {at_ms: 0, engine: {...engine, drafts_total: 5, draft_tokens_total: 20, accepted_tokens_total: 10}},
      {at_ms: 300, engine: {...engine, drafts_total: 15, draft_tokens_total: 60, accepted_tokens_total: 25}},
    ])
    const speculation = Object.fromEntries(
      Object.entries(document).filter(([key]) => key.startsWith('spec_decode_')),
    )
    expectKeys(speculation, {
      ...each('percent', 'spec_decode_acceptance_rate'),
      ...each('count', 'spec_decode_num_drafts', 'spec_decode_draft_tokens', 'spec_decode_accepted_tokens'),
      ...each('tokens', 'spec_decode_acceptance_length'),
      spec_decode_per_position_acceptance_rates: 'list',
    })
    expect(document).to.include({
      spec_decode_acceptance_rate: 37.5, // 15 of 40
      spec_decode_acceptance_length: 2.5, // 1 + 15 / 10
    })
  })

  /** @see vllm-project/guidellm:src/guidellm/schemas — GenerativeBenchmark */
  it("GuideLLM's has every key, latency in seconds, what ends in _ms in milliseconds", async () => {
    const {document} = await exported('guidellm')
    expectKeys(document, {metadata: 'object', config: 'object', benchmarks: 'list'})
    expect(document['metadata']).to.have.all.keys('version', 'guidellm_version', 'python_version', 'platform')
    const [benchmark] = document['benchmarks'] as [Record<string, Record<string, Record<string, unknown>>>]
    expectKeys(benchmark, {
      type_: 'text',
      ...each('object', 'config', 'scheduler_state', 'scheduler_metrics', 'metrics', 'requests'),
      ...each('epoch s', 'start_time', 'end_time'),
      ...each('s', 'duration'),
      ...each('count', 'warmup_duration', 'cooldown_duration'),
    })
    expect(benchmark['config']).to.have.all.keys(
      ...['strategy', 'constraints', 'warmup', 'cooldown', 'profile', 'requests', 'backend', 'environment'],
    )
    const scheduler = benchmark['scheduler_metrics']!
    expect(scheduler).to.include.all.keys('requests_made', 'queued_time_avg', 'request_time_avg')
    const instants = ['start_time', 'request_start_time', 'measure_start_time', 'measure_end_time']
    for (const key of [...instants, 'request_end_time', 'end_time'])
      expect(UNITS['epoch s'](scheduler[key]), key).to.equal(true)
    const {request_totals: totals, ...metrics} = benchmark['metrics']!
    expectKeys(totals, each('count', 'successful', 'incomplete', 'errored', 'total'))
    const units = {
      ...each('per s', 'requests_per_second', 'output_tokens_per_second', 'tokens_per_second'),
      ...each('per s', 'prompt_tokens_per_second'),
      ...each('s', 'request_latency'),
      ...each(
        'tokens',
        'prompt_token_count',
        'output_token_count',
        'total_token_count',
        'request_concurrency',
      ),
      ...each('ms', 'time_to_first_token_ms', 'time_to_first_output_token_ms', 'time_per_output_token_ms'),
      ...each('ms', 'inter_token_latency_ms'),
      ...each('tokens', 'output_tokens_per_iteration', 'iter_tokens_per_iteration'),
    } as const
    expect(metrics).to.have.all.keys(...Object.keys(units))
    for (const [name, unit] of Object.entries(units)) {
      expect(metrics[name], name).to.have.all.keys('successful', 'incomplete', 'errored', 'total')
      const summary = metrics[name]!['successful'] as Record<string, unknown>
      expect(summary, name).to.have.all.keys(
        ...['mean', 'median', 'mode', 'variance', 'std_dev', 'min', 'max', 'count', 'total_sum'],
        ...['percentiles', 'pdf'],
      )
      expect(UNITS[unit](summary['mean']), `${name} is ${unit}`).to.equal(true)
      expect(summary['percentiles']).to.have.all.keys(
        ...['p001', 'p01', 'p05', 'p10', 'p25', 'p50', 'p75', 'p90', 'p95', 'p99', 'p999'],
      )
    }
    const requests = benchmark['requests'] as unknown as Record<string, Record<string, unknown>[]>
    expect(requests).to.have.all.keys('successful', 'incomplete', 'errored')
    const request = requests['successful']![0]!
    expect(request).to.include.all.keys(
      ...['request_id', 'response_id', 'output', 'reasoning_output', 'tool_calls', 'info', 'input_metrics'],
      ...['output_metrics', 'request_latency', 'prompt_tokens', 'output_tokens', 'total_tokens'],
    )
    const info = request['info'] as Record<string, unknown>
    expect(info).to.include.all.keys('status', 'conversation_id', 'turn_index', 'timings')
    expectKeys(info['timings'], {
      ...each('epoch s', 'targeted_start', 'queued', 'dequeued', 'scheduled_at', 'resolve_start'),
      ...each('epoch s', 'request_start', 'first_request_iteration', 'first_token_iteration'),
      ...each('epoch s', 'first_output_token_iteration', 'last_token_iteration', 'last_request_iteration'),
      ...each('epoch s', 'request_end', 'resolve_end', 'finalized'),
      ...each('count', 'request_iterations', 'token_iterations'),
    })
  })

  /** @see ai-dynamo/aiperf:docs/metrics-reference.md */
  it("AIPerf's has every tag with its own unit, and every key of a record", async () => {
    const {document, files, warnings} = await exported('aiperf')
    const tags: Readonly<Record<string, string>> = {
      time_to_first_token: 'ms',
      time_to_second_token: 'ms',
      time_to_first_output_token: 'ms',
      inter_token_latency: 'ms',
      inter_chunk_latency: 'ms',
      request_latency: 'ms',
      effective_latency: 'ms',
      output_token_throughput: 'tokens/sec',
      output_token_throughput_per_user: 'tokens/sec/user',
      total_token_throughput: 'tokens/sec',
      request_throughput: 'requests/sec',
      request_count: 'requests',
      error_request_count: 'requests',
      input_sequence_length: 'tokens',
      output_sequence_length: 'tokens',
      output_token_count: 'tokens',
      reasoning_token_count: 'tokens',
      benchmark_duration: 'sec',
      goodput: 'requests/sec',
      good_request_count: 'requests',
      good_request_fraction: 'ratio',
    }
    expect(document).to.have.all.keys(
      ...Object.keys(tags),
      ...['schema_version', 'aiperf_version', 'benchmark_id', 'start_time', 'end_time', 'was_cancelled'],
      ...['input_config', 'run_info', 'telemetry_data', 'error_summary'],
    )
    for (const [tag, unit] of Object.entries(tags))
      expect((document[tag] as {unit: string}).unit, tag).to.equal(unit)
    const statistics = ['avg', 'min', 'max', 'p1', 'p5', 'p10', 'p25', 'p50', 'p75', 'p90', 'p95', 'p99']
    expectKeys(document['request_latency'], {
      unit: 'text',
      ...each('ms', ...statistics, 'std', 'sum'),
      count: 'count',
    })
    const record = JSON.parse((files[1]!.text as string).split('\n')[0]!) as Record<
      string,
      Record<string, unknown>
    >
    expectKeys(record, {metadata: 'object', metrics: 'object', error: 'nothing'})
    expectKeys(record['metadata'], {
      ...each('count', 'session_num', 'turn_index'),
      ...each('text', 'x_request_id', 'x_correlation_id', 'conversation_id', 'worker_id', 'benchmark_phase'),
      ...each('epoch ns', 'request_start_ns', 'request_ack_ns', 'request_end_ns'),
      was_cancelled: 'boolean',
      cancellation_time_ns: 'nothing',
    })
    for (const [tag, {unit}] of Object.entries(record['metrics']!) as [string, {unit: string}][])
      expect(unit, tag).to.equal(tags[tag])
    // This run has no plan; test/e2e/export-command.test.ts holds inputs.json to what a server took.
    expect(warnings).to.have.length(1)
  })
})
