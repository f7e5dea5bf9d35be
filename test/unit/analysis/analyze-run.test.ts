import {expect} from 'chai'
import {mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {analyzeRun, computeRunFigures} from '../../../src/lib/analysis/index.js'
import {
  analysisSchema,
  createRecordWriter,
  createTimeSeriesWriter,
  readAnalysis,
  readResults,
  resultsSchema,
  writeMeta,
  type RequestRecord,
  type RunDirectory,
  type TimeSample,
} from '../../../src/lib/runs/index.js'
import {requestRecord} from '../../support/records.js'
import {rejection} from '../../support/rejection.js'
import {writeRunFixture} from '../../support/run-fixture.js'
import {temporaryFolder} from '../../support/temporary.js'

const ORIGIN = Date.UTC(2025, 8, 12, 14, 30, 15)
type Meta = Parameters<typeof writeMeta>[1]

const META: Meta = {
  run_id: 'golden',
  mode: 'closed',
  concurrency: 1,
  requests: 4,
  origin_epoch_ms: ORIGIN,
  started_at: new Date(ORIGIN).toISOString(),
  namespace: 'ml-prod',
  service: 'demo-llm',
  profile: {metadata: {name: 'standard'}},
}

/** One user: three answers and, third, a refusal. Instants in milliseconds, so that every sum below can be redone. */
const GOLDEN: readonly RequestRecord[] = [
  answered(1, {sent: 0, tokens: [100, 120, 140], done: 141}),
  answered(2, {sent: 142, tokens: [242, 272, 282], done: 283}),
  requestRecord({
    id: 3,
    outcome: 'http_5xx',
    status: 503,
    error: 'queue is full',
    scheduledAtMs: 284,
    sentAtMs: 284,
    headAtMs: 294,
    firstByteAtMs: 294,
    roleAtMs: null,
    firstTokenAtMs: null,
    lastTokenAtMs: null,
    doneAtMs: 294,
    gapsUs: new Uint32Array(0),
    chunkCount: 0,
    promptTokens: null,
    completionTokens: null,
    tokensSource: 'none',
    finishReason: null,
  }),
  answered(4, {sent: 295, tokens: [495], done: 496}),
]

function answered(
  id: number,
  {sent, tokens, done}: {sent: number; tokens: readonly number[]; done: number},
  change: Partial<RequestRecord> = {},
): RequestRecord {
  return requestRecord({
    id,
    scheduledAtMs: sent,
    sentAtMs: sent,
    headAtMs: tokens[0]! - 1,
    firstByteAtMs: tokens[0]! - 1,
    roleAtMs: null,
    firstTokenAtMs: tokens[0]!,
    lastTokenAtMs: tokens.at(-1)!,
    doneAtMs: done,
    gapsUs: Uint32Array.from(tokens.slice(1), (at, index) => (at - tokens[index]!) * 1000),
    chunkCount: tokens.length,
    promptTokens: 10,
    completionTokens: tokens.length,
    ...change,
  })
}

describe('analysis of a run', () => {
  const folder = temporaryFolder()

  async function runOf(
    records: readonly RequestRecord[],
    meta: Meta = META,
    samples: readonly TimeSample[] = [],
  ): Promise<RunDirectory> {
    const run = {path: folder(), runId: 'run'}
    await writeMeta(run, meta)
    const writer = await createRecordWriter(run, ORIGIN)
    await writer.append(records)
    await writer.close()
    if (samples.length > 0) {
      const series = await createTimeSeriesWriter(run)
      for (const sample of samples) await series.append(sample)
      await series.close()
    }
    return run
  }

  describe('with four requests', () => {
    it('gives the documented blocks, with null for what nobody knows', async () => {
      const {results} = await analyzeRun(await runOf(GOLDEN))
      const {metadata, performance, cost, energy, resources} = results
      expect({metadata, performance, cost, energy, resources}).to.deep.equal({
        metadata: {
          timestamp: '2025-09-12T14:30:15Z',
          namespace: 'ml-prod',
          service: 'demo-llm',
          profile: 'standard',
          total_requests: 4,
          concurrent_users: 1,
        },
        performance: {
          p50_latency_ms: 141, // of 141, 141, 201
          p95_latency_ms: 195, // 141 + 0.9 · 60
          p99_latency_ms: 199.8, // 141 + 0.98 · 60
          avg_ttft_ms: 133.333333, // (100 + 100 + 200) / 3
          throughput_rps: 6.048387, // 3 / 0.496
          success_rate: 0.75,
          error_rate: 0.25,
        },
        cost: {cost_per_1k_tokens: null, hourly_cost: null, breakdown: {gpu: null, cpu: null, memory: null}},
        energy: {energy_per_1k_tokens_wh: null, total_energy_wh: null},
        resources: {avg_gpu_utilization: null, avg_memory_usage_gb: null, avg_cpu_usage: null},
      })
      expect(Object.keys(results.unavailable)).to.deep.equal(['cost', 'energy', 'resources'])
      expect(results.validation).to.equal(null)
    })

    it("judges the rules of the run's profile, and fails those whose figure nobody knows", async () => {
      const validation = {min_success_rate: 0.75, max_p95_latency_ms: 194.9, max_cost_per_1k_tokens: 1}
      const profile = {metadata: {name: 'strict'}, validation}
      const {results} = await analyzeRun(await runOf(GOLDEN, {...META, profile}))
      expect(results.validation).to.deep.equal({
        passed: false,
        rules: [
          {rule: 'min_success_rate', metric: 'success_rate', value: 0.75, limit: 0.75, passed: true},
          {rule: 'max_p95_latency_ms', metric: 'p95_ms', value: 195, limit: 194.9, passed: false},
          {
            rule: 'max_cost_per_1k_tokens',
            metric: 'cost_per_1k_tokens',
            value: null,
            limit: 1,
            passed: false,
          },
        ],
      })
    })

    it("gives upstream's flat keys", async () => {
      const {results} = await analyzeRun(await runOf(GOLDEN))
      expect(results).to.deep.include({
        p50_ms: 141,
        p95_ms: 195,
        p99_ms: 199.8,
        ttft_p50_ms: 100,
        ttft_p95_ms: 190, // 100 + 0.9 · 100
        time_to_first_token_ms: 133.333333,
        tokens_per_sec: 14.112903, // 7 / 0.496
        tllt_p50_ms: 140,
        tllt_p95_ms: 194, // of 140, 140, 200
        ttfb_p50_ms: 99,
        generation_p50_ms: 41, // of 1, 41, 41
        per_token_p50_ms: 20, // of 40 / 2, 40 / 2
        avg_tokens_per_response: 2.333333, // 7 / 3
        requests: {total: 4, success: 3},
        window: {start: ORIGIN / 1000, end: ORIGIN / 1000 + 0.496, seconds: 0.496},
        prompt_tokens_total: 30,
        completion_tokens_total: 7,
        tokens_source: 'usage',
        itl_p50_ms: 20, // of 10, 20, 20, 30
        itl_p95_ms: 28.5, // 20 + 0.85 · 10
        tpot_p95_ms: 20,
        cold_start_count: null,
        cache_hit_ratio: null,
      })
      expect(results.per_token_time_histogram).to.deep.include({bins: [20], counts: [2], total_samples: 2})
    })

    it('gives distributions with their unit, and throughput over the time in which the user was busy', async () => {
      const {metrics, measure_window: window} = (await analyzeRun(await runOf(GOLDEN))).results
      expect(metrics['ttft']).to.deep.include({
        unit: 'ms',
        count: 3,
        n_eff: 3,
        mean: 133.333333,
        p50: 100,
        max: 200,
      })
      expect(metrics['e2e']).to.deep.include({count: 3, mean: 160, min: 140, max: 200}) // (140 + 140 + 200) / 3
      expect(metrics['max_gap']).to.deep.include({count: 2, p50: 25}) // 20 and 30
      expect(metrics['icl']).to.deep.include({unit: 'ms', count: 4, n_eff: null, ci95: null, mean: 20})
      expect(metrics['itl']).to.deep.include({unit: 'ms/token', count: 4, mean: 20})
      // From the end of the first answer, 141, to the first end after the last send, 496: 355 ms.
      expect(window).to.deep.equal({
        start_seconds: 0.141,
        end_seconds: 0.496,
        seconds: 0.355,
        rule: 'every-slot-busy',
      })
      const values = Object.fromEntries(
        Object.entries(metrics).map(([name, metric]) => [name, 'value' in metric ? metric.value : undefined]),
      )
      expect(values).to.deep.include({
        request_throughput: 5.633803, // those done at 141 and 283: 2 / 0.355
        output_throughput: 11.267606, // tokens at 242, 272, 282 and 495: 4 / 0.355
        input_throughput: 56.338028, // first tokens at 242 and 495: 20 / 0.355
        sent_rate: 8.450704, // 142, 284 and 295: 3 / 0.355
        run_request_throughput: 6.048387,
        peak_output_tps: 7,
        concurrency_mean: 0.991549, // (141 + 10 + 201) / 355
        concurrency_max: 1,
        little_check: 0.909091, // (2 / 0.355) · 0.160 / (352 / 355)
        error_rate: 0.25,
      })
    })

    it('gives the documented analysis output', async () => {
      const {analysis} = await analyzeRun(await runOf(GOLDEN))
      expect(analysis).to.deep.equal({
        summary: {total_requests: 4, successful_requests: 3, failed_requests: 1, success_rate: 0.75},
        latency: {
          percentiles: {p50: 141, p90: 189, p95: 195, p99: 199.8},
          histogram: {bins: [0, 50, 100, 150, 200], counts: [0, 0, 2, 0, 1]},
        },
        throughput: {requests_per_second: 6.048387, tokens_per_second: 14.112903},
        errors: [{timestamp: '2025-09-12T14:30:15.294Z', error: 'http_5xx', details: 'queue is full'}],
      })
    })

    it('gives a timeline in slices of a tenth of a second', async () => {
      const {timeline, server} = (await analyzeRun(await runOf(GOLDEN))).results
      expect(timeline).to.deep.equal({
        slice_seconds: 0.1,
        start_seconds: [0, 0.1, 0.2, 0.3, 0.4],
        requests_completed: [0, 1, 1, 0, 1], // at 141, 283 and 496 ms
        requests_failed: [0, 0, 1, 0, 0],
        tokens: [0, 3, 3, 0, 1],
        in_flight_mean: [1, 0.99, 0.98, 1, 0.96], // idle 141–142, 283–284, 294–295 and from 496
        ttft_p50_ms: [null, 100, 100, null, 200],
        ttft_p95_ms: [null, 100, 100, null, 200],
        latency_p95_ms: [null, 141, 141, null, 201],
        icl_p50_ms: [null, 20, 20, null, null], // 20 and 20; 30 and 10
        icl_p95_ms: [null, 20, 29, null, null],
        // Nobody looked at a server.
        server_running: [],
        server_waiting: [],
        kv_cache_usage: [],
        preemptions: [],
        prefix_cache_hit_ratio: [],
        segment_used_bytes: [],
        gpu_utilization: [],
        gpu_power_watts: [],
      })
      expect(server).to.equal(null)
    })

    it('says how requests ended', async () => {
      const {results} = await analyzeRun(await runOf(GOLDEN))
      expect(results.outcomes).to.deep.equal({ok: 3, http_5xx: 1})
      expect(results.finish_reasons).to.deep.equal({length: 3})
    })
  })

  it('gives the same bytes again from the files alone', async () => {
    const run = await writeRunFixture(join(folder(), 'run'), {
      requests: 300,
      warmupRequests: 10,
      concurrency: 8,
      tokens: 24,
      model: 'toy',
      failure: 'reset by peer',
    })
    const files = ['results.json', 'analysis.json'].map(name => join(run.path, name))
    const before = files.map(file => readFileSync(file, 'utf8'))
    for (const file of files) rmSync(file)
    await analyzeRun(run)
    expect(files.map(file => readFileSync(file, 'utf8'))).to.deep.equal(before)
  })

  it('writes what its schemas promise', async () => {
    const run = await runOf(GOLDEN)
    const {results, analysis} = await analyzeRun(run)
    expect(await readResults(run)).to.deep.equal(results)
    expect(await readAnalysis(run)).to.deep.equal(analysis)
    const declared = Object.keys(resultsSchema.shape)
    expect(Object.keys(results)).to.have.members(declared)
  })

  it('leaves warm-up out of everything', async () => {
    const warm = answered(99, {sent: 0, tokens: [5000, 9000], done: 9000}, {phase: 'warmup'})
    const plain = await computeRunFigures(await runOf(GOLDEN))
    for (const name of ['requests.csv', 'gaps.bin']) rmSync(join(folder(), name))
    const warmed = await computeRunFigures(await runOf([warm, ...GOLDEN]))
    // But out of the slices of time, and of the phases, where it stands by itself.
    const {warmup, ...phases} = warmed.results.phases
    expect(warmup).to.deep.include({requests: 1, successes: 1})
    expect({...warmed.results, phases, timeline: null}).to.deep.equal({...plain.results, timeline: null})
    expect(warmed.analysis).to.deep.equal(plain.analysis)
  })

  it('works on a run without a single success', async () => {
    const {results, analysis} = await analyzeRun(await runOf([GOLDEN[2]!]))
    expect(results.performance).to.deep.equal({
      p50_latency_ms: null,
      p95_latency_ms: null,
      p99_latency_ms: null,
      avg_ttft_ms: null,
      throughput_rps: 0,
      success_rate: 0,
      error_rate: 1,
    })
    expect(analysis.latency).to.deep.equal({
      percentiles: {p50: null, p90: null, p95: null, p99: null},
      histogram: {bins: [], counts: []},
    })
  })

  it('works on a run that was stopped before its first request', async () => {
    const {results, analysis} = await analyzeRun(await runOf([], {...META, status: 'interrupted'}))
    expect(results).to.deep.include({status: 'interrupted', error_rate: null, throughput_rps: null})
    expect(results.warnings.map(({code}) => code)).to.include.members(['no_requests', 'requests_missing'])
    expect(analysis.errors).to.deep.equal([])
  })

  it('says that a run was killed, and reads what it left', async () => {
    const run = await runOf(GOLDEN, {...META, status: 'running'})
    truncateSync(join(folder(), 'gaps.bin'), 16 + 12 + 4 + 5) // the header, a frame with two gaps, and part of the next
    truncateSync(join(folder(), 'requests.csv'), readFileSync(join(folder(), 'requests.csv')).length - 3)
    const {results} = await analyzeRun(run)
    expect(results.requests).to.deep.equal({total: 3, success: 2})
    expect(results.metrics['icl']).to.deep.include({count: 2, mean: 20})
    expect(results.warnings.map(({code}) => code)).to.include.members([
      'run_unfinished',
      'requests_missing',
      'csv_torn',
      'gaps_torn',
    ])
    // The second request's tokens are spread from its first, 242, to its last, 282, instead of being lost.
    expect(results.timeline.tokens.reduce((sum, tokens) => sum + tokens, 0)).to.equal(6)
  })

  it('says that gaps are gone when there is no gaps.bin', async () => {
    const run = await runOf(GOLDEN)
    rmSync(join(folder(), 'gaps.bin'))
    const {results} = await analyzeRun(run)
    expect(results.metrics['icl']).to.deep.include({count: 0, p50: null})
    expect(results.warnings.map(({code}) => code)).to.include('gaps_missing')
    expect(results.tpot_p50_ms).to.equal(20)
  })

  it('spreads the tokens of chunks that carry several, and says that itl is estimated', async () => {
    // Five tokens in three chunks: four tokens over gaps of 20 and 40 ms, two each: 10, 10, 20, 20 ms a token.
    const record = answered(1, {sent: 0, tokens: [100, 120, 160], done: 161}, {completionTokens: 5})
    const {results} = await analyzeRun(await runOf([record]))
    expect(results.itl_estimated).to.equal(true)
    expect(results.metrics['itl']).to.deep.include({count: 4, mean: 15, min: 10, max: 20}) // 60 / 4
    expect(results.metrics['icl']).to.deep.include({count: 2, mean: 30})
    expect(results.tpot_p50_ms).to.equal(15) // (160 − 100) / (5 − 1)
  })

  it('has no TTFT for answers that were not streamed, and counts their tokens at the end', async () => {
    const record = answered(
      1,
      {sent: 0, tokens: [100], done: 1500},
      {firstTokenAtMs: null, lastTokenAtMs: null, chunkCount: 0, completionTokens: 12},
    )
    const {results} = await analyzeRun(await runOf([record]))
    expect(results.performance.avg_ttft_ms).to.equal(null)
    expect(results.metrics['e2e']).to.deep.include({count: 1, mean: 1500})
    expect(results.metrics['peak_output_tps']).to.deep.include({value: 12})
    expect(results.timeline.tokens.at(-1)).to.equal(12)
    // The end of the whole run belongs to it: 12 tokens and one request in 1.5 s.
    expect(results.metrics['output_throughput']).to.deep.include({value: 8})
    expect(results.metrics['request_throughput']).to.deep.include({value: 0.666667})
  })

  it('counts every request in flight in each slice, and makes slices wider for longer runs', async () => {
    const records = [
      answered(1, {sent: 0, tokens: [100], done: 100_000}),
      answered(2, {sent: 99_500, tokens: [99_600], done: 100_000}),
    ]
    const {timeline} = (await analyzeRun(await runOf(records, {...META, mode: 'open'}))).results
    expect(timeline.slice_seconds).to.equal(1) // 100 s in at most 120 slices
    expect(timeline.in_flight_mean.slice(-2)).to.deep.equal([1.5, 0]) // one for the whole second, one for its half
  })

  it('lets requests of an open schedule that were never sent weigh in the times that users saw', async () => {
    const unsent = {
      ...GOLDEN[2]!,
      id: 5,
      outcome: 'not_sent',
      status: 0,
      sentAtMs: null,
      doneAtMs: null,
    } as const
    const {results} = await analyzeRun(await runOf([GOLDEN[0]!, GOLDEN[1]!, unsent], {...META, mode: 'open'}))
    expect(results.metrics['e2e']).to.deep.include({count: 2, max: 140})
    expect(results.metrics['e2e_sched']).to.deep.include({
      count: 3,
      p50: 140,
      p75: null,
      max: null,
      mean: null,
    })
    expect(results.metrics['error_rate']).to.deep.include({value: 0})
    expect(results.error_rate).to.equal(0.333333)
    // Scheduled at 0, 142 and 284 ms; the window is half open: two of them in 0.284 s.
    expect(results.measure_window).to.deep.include({end_seconds: 0.284, rule: 'scheduled-arrivals'})
    expect(results.metrics['offered_rate']).to.deep.include({value: 7.042254})
  })

  it('takes means and increases from the time series', async () => {
    const engine = {
      running: 1,
      waiting: 0,
      kv_cache_usage: 0.25,
      preemptions_total: 3,
      prompt_tokens_total: 0,
      generation_tokens_total: 0,
      prefix_cache_queries_total: 100,
      prefix_cache_hits_total: 10,
    }
    const {results} = await analyzeRun(
      await runOf(GOLDEN, META, [
        {at_ms: 0, engine, process: {cpu_seconds: 5, rss_bytes: 1e9}, gpus: [gpu(0, 0.5), gpu(1, 1)]},
        {
          at_ms: 2000,
          engine: {
            ...engine,
            kv_cache_usage: 0.75,
            preemptions_total: 5,
            prefix_cache_queries_total: 300,
            prefix_cache_hits_total: 60,
          },
          process: {cpu_seconds: 8, rss_bytes: 3e9},
        },
      ]),
    )
    expect(results.resources).to.deep.equal({
      avg_gpu_utilization: 0.75,
      avg_memory_usage_gb: 16, // both GPUs, 8 each
      avg_cpu_usage: 1.5, // 3 s of CPU in 2 s
    })
    expect(results).to.deep.include({
      cache_hit_ratio: 0.25, // 50 / 200
      gpu_util_avg: 75,
      gpu_power_watts_avg: 600,
      mem_used_avg: 2e9,
    })
    expect(results.metrics['kv_cache_usage_mean']).to.deep.include({value: 0.5})
    expect(results.metrics['kv_cache_usage_max']).to.deep.include({value: 0.75})
    expect(results.metrics['preemptions']).to.deep.include({value: 2})
    expect(results.unavailable).to.not.have.property('resources')
  })

  it('says when the client was the limit, and takes its own lateness figure where it has one', async () => {
    const instrument = {ttft_error_p99_ms: 0.5, gap_error_p99_ms: 0.2, cpu_share_max: 0.3, workers: 1}
    const good = await computeRunFigures(await runOf(GOLDEN, {...META, instrument}))
    expect(good.results).to.deep.include({client_limited: false})
    expect(good.results.instrument).to.deep.include({lateness_p99_ms: 0})
    await writeMeta(
      {path: folder(), runId: 'run'},
      {...META, instrument: {...instrument, lateness_p99_ms: 6}},
    )
    const late = await computeRunFigures({path: folder(), runId: 'run'})
    expect(late.results.client_limited).to.equal(true)
    expect(late.results.warnings.map(({code}) => code)).to.include('client_limited')
  })

  it('counts tokens as estimated when any success had to count chunks', async () => {
    const {results} = await analyzeRun(await runOf([GOLDEN[0]!, {...GOLDEN[1]!, tokensSource: 'chunks'}]))
    expect(results.tokens_source).to.equal('chunks')
    expect(results.warnings.map(({code}) => code)).to.include('tokens_estimated')
  })

  it('lists the first hundred errors in order of time and how many more there are', async () => {
    const records = Array.from({length: 130}, (_, index) => ({
      ...GOLDEN[2]!,
      id: index + 1,
      doneAtMs: 1000 - index,
      error: `failure ${index}`,
    }))
    const {errors} = (await analyzeRun(await runOf(records))).analysis
    expect(errors).to.have.length(101)
    expect(errors[0]).to.deep.include({details: 'failure 129'}) // done at 871 ms
    expect(errors[100]).to.deep.equal({
      timestamp: null,
      error: 'truncated',
      details: '30 more failed requests',
    })
  })

  it("reads a directory of upstream's own tools", async () => {
    writeFileSync(
      join(folder(), 'requests.csv'),
      'id,scheduled_ms,start_ms,ttfb_ms,tllt_ms,latency_ms,status,prompt_tokens,completion_tokens,total_tokens,error,trace_id,is_cold_start\r\n' +
        '2,1000.000,1000.000,50.000,100.000,100.000,200,5,4,9,,a,True\r\n' +
        '1,1000.000,1000.000,,,200.000,200,,,,,b,False\r\n' +
        '3,1000.000,1100.000,,,400.000,0,,,,ReadTimeout,c,False\r\n',
    )
    writeFileSync(
      join(folder(), 'meta.json'),
      JSON.stringify({requests: 3, concurrency: 2, test_start_time: 1}),
    )
    const {results, analysis} = await analyzeRun({path: folder(), runId: 'old'})
    expect(results).to.deep.include({
      run_id: 'old',
      p50_ms: 150,
      ttft_p50_ms: 50,
      error_rate: 0.333333,
      window: {start: 1, end: 1.5, seconds: 0.5},
      throughput_rps: 4,
      cold_start_count: 1,
      cold_count: 1,
      cold_p50_ms: 100,
      warm_count: 2,
      warm_success_count: 1,
      warm_p50_ms: 200,
      warm_ttft_p50_ms: null,
      warm_error_rate: 0.5,
    })
    expect(results.warnings.map(({code}) => code)).to.include('ttft_from_first_byte')
    expect(analysis.errors).to.deep.equal([
      {timestamp: '1970-01-01T00:00:01.500Z', error: 'exception', details: 'ReadTimeout'},
    ])
  })

  it('does without meta.json, and says so', async () => {
    const run = await runOf(GOLDEN)
    rmSync(join(folder(), 'meta.json'))
    const {results} = await analyzeRun(run)
    expect(results).to.deep.include({run_id: 'run', p50_ms: 141})
    expect(results.warnings.map(({code}) => code)).to.include('meta_missing')
  })

  it('misses requests.csv by name', async () => {
    mkdirSync(join(folder(), 'empty'))
    const error = await rejection(analyzeRun({path: join(folder(), 'empty'), runId: 'empty'}))
    expect(error).to.include({code: 'RUN_INCOMPLETE', exitCode: 4})
  })

  it('takes numbers of its files as they are, even when a probe left its own', async () => {
    const run = await runOf(GOLDEN)
    writeFileSync(
      join(folder(), 'io_probe.json'),
      JSON.stringify({rtt: {attempts: 3, p50_ms: 1.5, p95_ms: 2.5}, s3: {avg_MBps: 80}}),
    )
    const {results} = await analyzeRun(run)
    expect(results).to.deep.include({network_rtt_p50_ms: 1.5, network_rtt_p95_ms: 2.5, s3_avg_MBps: 80})
  })
})

function gpu(index: number, utilization: number) {
  return {index, utilization, memory_used_bytes: 8e9, power_watts: 300}
}

describe('documented result shapes', () => {
  it('are accepted by the schemas', () => {
    const example = {
      summary: {total_requests: 500, successful_requests: 499, failed_requests: 1, success_rate: 0.998},
      latency: {
        percentiles: {p50: 123.4, p90: 234.5, p95: 342.1, p99: 456.7},
        histogram: {bins: [0, 100, 200, 300, 400, 500], counts: [45, 123, 234, 89, 8, 0]},
      },
      throughput: {requests_per_second: 47.2, tokens_per_second: 1234.5},
      errors: [{timestamp: '2025-09-12T14:45:23Z', error: 'timeout', details: 'Request timed out after 30s'}],
    }
    expect(analysisSchema.parse(example)).to.deep.equal(example)
    const blocks = {
      metadata: {
        timestamp: '2025-09-12T14:30:15Z',
        namespace: 'ml-prod',
        service: 'demo-llm',
        profile: 'standard',
        total_requests: 500,
        concurrent_users: 20,
      },
      performance: {
        p50_latency_ms: 123.4,
        p95_latency_ms: 342.1,
        p99_latency_ms: 456.7,
        avg_ttft_ms: 23.4,
        throughput_rps: 47.2,
        success_rate: 0.998,
        error_rate: 0.002,
      },
      cost: {
        cost_per_1k_tokens: '$0.0023',
        hourly_cost: '$2.45',
        breakdown: {gpu: '$1.80', cpu: '$0.45', memory: '$0.20'},
      },
      energy: {energy_per_1k_tokens_wh: 15.7, total_energy_wh: 1234.5},
      resources: {avg_gpu_utilization: 0.87, avg_memory_usage_gb: 12.3, avg_cpu_usage: 2.1},
    }
    const {metadata, performance, cost, energy, resources} = resultsSchema.shape
    const parsed = {
      metadata: metadata.strict().parse(blocks.metadata),
      performance: performance.strict().parse(blocks.performance),
      cost: cost.strict().parse(blocks.cost),
      energy: energy.strict().parse(blocks.energy),
      resources: resources.strict().parse(blocks.resources),
    }
    expect(parsed).to.deep.equal(blocks)
    for (const block of [metadata, performance, cost, energy, resources]) {
      expect(block.strict().safeParse({}).success).to.equal(false)
    }
  })
})
