import {mkdirSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {computeRunFigures} from '../../../src/lib/analysis/index.js'
import {adjustedPercentile} from '../../../src/lib/analysis/request-groups.js'
import {seededRandom} from '../../../src/lib/foundation/index.js'
import {
  createRecordWriter,
  createTimeSeriesWriter,
  writeMeta,
  type RequestRecord,
  type RunResults,
  type TimeSample,
} from '../../../src/lib/runs/index.js'
import {requestRecord} from '../../support/records.js'
import {temporaryFolder} from '../../support/temporary.js'

const ORIGIN = Date.UTC(2026, 0, 31)

/** Sent, first token, last token and end, ms; two tokens. */
function answer(id: number, sent: number, first: number, change: Partial<RequestRecord> = {}): RequestRecord {
  return requestRecord({
    ...{
      id,
      scheduledAtMs: sent,
      sentAtMs: sent,
      headAtMs: first - 1,
      firstByteAtMs: first - 1,
      roleAtMs: null,
    },
    ...{firstTokenAtMs: first, lastTokenAtMs: first + 10, doneAtMs: first + 10},
    ...{gapsUs: Uint32Array.of(10_000), chunkCount: 2, completionTokens: 2, promptTokens: 10},
    ...change,
  })
}

describe('parts of a run', () => {
  const folder = temporaryFolder()
  let runs = 0

  async function resultsOf(
    records: readonly RequestRecord[],
    meta: Parameters<typeof writeMeta>[1],
    samples: readonly TimeSample[] = [],
  ): Promise<RunResults> {
    const path = join(folder(), `run-${runs++}`)
    mkdirSync(path)
    const run = {path, runId: 'run'}
    await writeMeta(run, {origin_epoch_ms: ORIGIN, ...meta})
    const writer = await createRecordWriter(run, ORIGIN)
    await writer.append(records)
    await writer.close()
    const series = await createTimeSeriesWriter(run)
    for (const sample of samples) await series.append(sample)
    await series.close()
    return (await computeRunFigures(run)).results
  }

  it('are warm-up, ramp, the measured window and drain, by the moment of sending', async () => {
    const records = [
      answer(1, 0, 50, {phase: 'warmup'}),
      // Two slots; both have ended their first request at 320, the first finds no more work at 460.
      ...[answer(2, 100, 200), answer(3, 100, 310)],
      ...[
        answer(4, 210, 300),
        answer(5, 320, 400),
        answer(6, 330, 420),
        answer(7, 440, 450),
        answer(8, 440, 600),
      ],
    ]
    const {phases, measure_window: window} = await resultsOf(records, {
      mode: 'closed',
      concurrency: 2,
      requests: 7,
    })
    expect(window).to.deep.include({start_seconds: 0.32, end_seconds: 0.46})
    const counts = Object.entries(phases).map(([name, {requests}]) => [name, requests])
    expect(counts).to.deep.equal([
      ['warmup', 1],
      ['ramp', 3],
      ['measure', 4],
    ])
    expect(phases['measure']!.ttft).to.deep.include({count: 4, min: 10, max: 160}) // 80, 90, 10 and 160
    expect(phases['measure']!.throughput_rps).to.equal(Math.round((4 / 0.14) * 1e6) / 1e6)
    expect(phases['warmup']!.ttft).to.deep.include({count: 1, p50: 50})
  })

  it('count requests on which the client hung up neither as successes nor as failures', async () => {
    const {tenants} = await resultsOf(
      [
        answer(1, 0, 50, {tenant: 'a'}),
        answer(2, 60, 100, {tenant: 'a', outcome: 'cancelled'}),
        answer(3, 110, 150, {tenant: 'a', outcome: 'reset'}),
      ],
      {mode: 'closed', concurrency: 1, requests: 3},
    )
    const {requests, successes, error_rate} = tenants['a']!
    expect({requests, successes, error_rate}).to.deep.equal({requests: 2, successes: 1, error_rate: 0.5})
  })

  it('are tenants, with how evenly they were served', async () => {
    const of = (tenant: string): Partial<RequestRecord> => ({tenant})
    const records = [
      answer(1, 0, 100, of('a')),
      answer(2, 0, 100, of('a')),
      answer(3, 0, 100, of('a')),
      answer(4, 0, 390, of('b')),
      answer(5, 0, 100, {...of('b'), outcome: 'reset'}),
      answer(6, 0, 100),
    ]
    const {tenants, fairness, ...results} = await resultsOf(records, {mode: 'open', requests: 6})
    expect(
      Object.entries(tenants).map(([name, {requests, successes}]) => [name, requests, successes]),
    ).to.deep.equal([
      ['a', 3, 3],
      ['b', 2, 1],
    ])
    // 2 tokens in 110 ms and in 400 ms: 18.18 and 5 tokens/s; (23.18)² / (2 · 355.6)
    const [a, b] = [2 / 0.11, 2 / 0.4]
    expect(fairness!.jain_speed).to.be.closeTo((a + b) ** 2 / (2 * (a * a + b * b)), 1e-5)
    expect(fairness).to.deep.include({throughput_share_diff: 0.5, tenant_p95_ms: 400}) // 3/4 − 1/4
    expect(results).to.deep.include({tenant_p95_ms: 400, throughput_share_diff: 0.5})
  })

  it('are stages, each over its own time: by the schedule, in a closed loop by the moment of sending', async () => {
    const records = [
      answer(1, 100, 150, {phase: 'warmup'}),
      ...[answer(2, 1000, 1100), answer(3, 1900, 2100), answer(4, 2100, 2150, {scheduledAtMs: 1950})],
      ...[answer(5, 2200, 2260), answer(6, 2900, 2990, {outcome: 'http_5xx'})],
    ]
    const stagesOf = async (mode: 'open' | 'closed', key: string) => {
      const [slow, fast] = [{[key]: 2, seconds: 1}, {[key]: 4, seconds: 2}] // prettier-ignore
      const plan = {pattern: 'stages', stages: [slow, fast]}
      const parts = [{origin_epoch_ms: ORIGIN, run_ms: 0, rows_before: 0, measure_start_ms: 1000}]
      return (await resultsOf(records, {mode, concurrency: 4, pattern: 'stages', plan, parts})).stages
    }
    const [first, second] = await stagesOf('closed', 'concurrency')
    expect(first).to.deep.include({concurrency: 2, rate_per_second: null, requests: 2, throughput_rps: 2})
    expect(second).to.deep.include({concurrency: 4, requests: 3, successes: 2, throughput_rps: 2 / 2})
    expect(second!.ttft).to.deep.include({count: 2, min: 50, max: 60})
    const [early, late] = await stagesOf('open', 'rate_per_second')
    expect(early).to.deep.include({concurrency: null, rate_per_second: 2, requests: 3, seconds: 1})
    expect(late).to.deep.include({requests: 2, successes: 1, throughput_rps: 1 / 2})
  })

  it('without tenants have no fairness', async () => {
    const {tenants, fairness} = await resultsOf([answer(1, 0, 100)], {mode: 'closed', concurrency: 1})
    expect([tenants, fairness]).to.deep.equal([{}, null])
  })

  it('are cold and warm requests where the server slept or began anew meanwhile', async () => {
    const engine = (tokens: number, isAsleep: boolean | null = null) => ({
      ...{running: 0, waiting: 0, kv_cache_usage: 0, preemptions_total: 0},
      ...{prompt_tokens_total: tokens, generation_tokens_total: tokens, is_asleep: isAsleep},
      ...{prefix_cache_queries_total: 0, prefix_cache_hits_total: 0},
    })
    const records = [answer(1, 0, 100), answer(2, 900, 2600), answer(3, 3000, 3100), answer(4, 4100, 4900)]
    const samples = [
      {at_ms: 0, engine: engine(100, false)},
      {at_ms: 500, engine: engine(200, true)},
      {at_ms: 2500, engine: engine(200, false)},
      {at_ms: 4000, engine: engine(300, false)},
      {at_ms: 4500, engine: engine(0, false)},
    ]
    const results = await resultsOf(records, {mode: 'open', requests: 4}, samples)
    expect(results.cold_spans).to.deep.equal([
      {start_seconds: 0.5, end_seconds: 2.5, kind: 'wake'},
      {start_seconds: 4, end_seconds: 4.5, kind: 'restart'},
    ])
    expect(results).to.deep.include({cold_start_count: 2, cold_count: 2, warm_count: 2})
    expect(results).to.deep.include({cold_ttft_p50_ms: 1250, warm_ttft_p50_ms: 100}) // of 1700 and 800
  })

  it('say nothing of cold starts when nobody looked', async () => {
    const {cold_spans: spans, cold_start_count: count} = await resultsOf([answer(1, 0, 100)], {mode: 'open'})
    expect([spans, count]).to.deep.equal([null, null])
  })

  it('have intervals of means and rates when they hold enough independent batches', async () => {
    const random = seededRandom(5)
    const records = Array.from({length: 2000}, (_, at) =>
      answer(at + 1, at * 10, at * 10 + 20 + random.exponential(20)),
    )
    const {metrics} = await resultsOf(records, {mode: 'open', requests: 2000})
    const ttft = metrics['ttft']!
    if (!('count' in ttft)) throw new Error('no distribution')
    const [low, high] = ttft.mean_ci95!
    expect(low).to.be.lessThan(40).and.greaterThan(35)
    expect(high).to.be.greaterThan(ttft.mean!).and.lessThan(45)
    expect(ttft.mean).to.be.within(low, high)
    const {value, ci95} = metrics['request_throughput'] as {value: number; ci95: [number, number]}
    expect(value).to.be.closeTo(100, 1)
    expect(ci95[0]).to.be.at.most(100.01).and.greaterThan(95)
    expect(ci95[1]).to.be.at.least(99.99).and.lessThan(105)
  })

  it('count failed requests as slower than all others where they are asked for so', () => {
    const sorted = Float64Array.of(10, 20, 30, 40)
    expect(adjustedPercentile(sorted, 0, 0.5)).to.equal(25)
    expect(adjustedPercentile(sorted, 1, 0.5)).to.equal(30) // third of five
    expect(adjustedPercentile(sorted, 1, 0.95)).to.equal(null)
    expect(adjustedPercentile(new Float64Array(0), 0, 0.5)).to.equal(null)
  })
})
