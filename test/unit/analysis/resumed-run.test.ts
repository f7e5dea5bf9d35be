import {expect} from 'chai'
import {analyzeRun} from '../../../src/lib/analysis/index.js'
import {createRecordWriter, keepRecords, writeMeta, type RequestRecord} from '../../../src/lib/runs/index.js'
import {requestRecord} from '../../support/records.js'
import {temporaryFolder} from '../../support/temporary.js'

/** One chunk of one token at `done`. */
const answered = (id: number, sent: number, done: number): RequestRecord =>
  requestRecord({
    id,
    scheduledAtMs: sent,
    sentAtMs: sent,
    headAtMs: done,
    firstByteAtMs: done,
    roleAtMs: null,
    firstTokenAtMs: done,
    lastTokenAtMs: done,
    doneAtMs: done,
    gapsUs: new Uint32Array(0),
    chunkCount: 1,
    completionTokens: 1,
  })

/** Two parts, the second one a day after the first. */
async function runOf(
  path: string,
  mode: 'closed' | 'open',
  parts: readonly (readonly RequestRecord[])[],
  runMs: readonly number[],
) {
  const run = {path, runId: 'run'}
  const origins = [0, 86_400_000]
  let kept = null
  const rowsBefore = [0, parts[0]!.length]
  const ids = new Set(parts[0]!.map(({id}) => id))
  for (const [index, records] of parts.entries()) {
    const writer = await createRecordWriter(run, origins[index]!, kept)
    await writer.append(records)
    await writer.close()
    if (index === 0) kept = await keepRecords(run, ids)
  }
  const total = parts.flat().length
  await writeMeta(run, {
    ...{mode, concurrency: 2, requests: total, origin_epoch_ms: 0},
    parts: origins.map((origin_epoch_ms, index) => ({
      ...{origin_epoch_ms, run_ms: runMs[index]!, rows_before: rowsBefore[index]!, sent_again: index},
    })),
  })
  return (await analyzeRun(run)).results
}

describe('the figures of a resumed run', () => {
  const folder = temporaryFolder()

  it('are rates over the windows of its parts together', async () => {
    // Two slots, 100 ms an answer. Killed at 350 with 7 and 8 in flight: both were sent at 300.
    const first = [1, 2, 3, 4, 5, 6].map(id =>
      answered(id, 100 * Math.floor((id - 1) / 2), 100 * Math.ceil(id / 2)),
    )
    // The second part begins at 300 of the run and sends 7 … 12.
    const second = [7, 8, 9, 10, 11, 12].map(id =>
      answered(id, 100 * Math.floor((id - 7) / 2), 100 * Math.ceil((id - 6) / 2)),
    )
    const results = await runOf(folder(), 'closed', [first, second], [0, 300])
    // Each window goes from the first end in every slot, 100, to the first end after the last send, 200.
    expect(results.measure_window).to.deep.equal({
      ...{start_seconds: 0.1, end_seconds: 0.5, rule: 'every-slot-busy'},
      seconds: (200 - 100 + (500 - 400)) / 1000,
    })
    // Two ends at 100 in the first window (200 is outside), and as many in the second: 4 in 200 ms.
    expect(results.metrics['request_throughput']).to.deep.include({value: 4 / 0.2})
    expect(results.metrics['output_throughput']).to.deep.include({value: 4 / 0.2})
    expect(results.metrics['concurrency_mean']).to.deep.include({value: 2})
    // The day in between is no time of the run, but the clock on the wall knows it.
    expect(results.window).to.deep.equal({start: 0, end: 86_400 + 0.3, seconds: 0.6})
    expect(results.throughput_rps).to.equal(12 / 0.6)
    expect(results.timeline.start_seconds.at(-1)).to.be.below(1)
    const warning = results.warnings.find(({code}) => code === 'resumed')!
    expect(warning.message).to.match(
      /^measured in 2 parts: .* \(23h 59m\)|^measured in 2 parts: .* \(24h 00m\)/,
    )
    expect(warning.message).to.contain('at least 1 requests were sent again')
  })

  it('leave out what a killed part did after the first request that it lost', async () => {
    // Request 3 was sent when 1 ended, at 100, and lost; the other slot went on with 4, 5 and 6.
    const first = [
      answered(1, 0, 100),
      answered(2, 0, 150),
      answered(4, 150, 250),
      answered(5, 250, 350),
      answered(6, 350, 450),
    ]
    const second = [3, 7, 8, 9, 10, 11].map((id, at) =>
      answered(id, 100 * Math.floor(at / 2), 100 * Math.ceil((at + 1) / 2)),
    )
    const {measure_window: window} = await runOf(folder(), 'closed', [first, second], [0, 450])
    // Every slot had ended its first request at 150, after the loss: only the second part counts.
    expect(window).to.deep.include({start_seconds: 0.55, end_seconds: 0.65, seconds: 0.1})
  })

  it('judge an open loop until the send before the first lost one', async () => {
    const first = [1, 2, 3, 5].map(id => answered(id, 100 * id, 100 * id + 10))
    const second = [4, 6, 7].map((id, at) => answered(id, 100 * at, 100 * at + 10))
    const {measure_window: window} = await runOf(folder(), 'open', [first, second], [0, 510])
    // Scheduled from 100 to 500, of which 300 is sure; then from 510 to 710.
    expect(window).to.deep.include({start_seconds: 0.1, end_seconds: 0.71, seconds: 0.2 + 0.2})
  })
})
