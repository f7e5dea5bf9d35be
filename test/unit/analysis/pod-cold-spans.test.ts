import {expect} from 'chai'
import {computeRunFigures} from '../../../src/lib/analysis/index.js'
import {podColdSpans} from '../../../src/lib/analysis/pod-cold-spans.js'
import {
  createRecordWriter,
  keepRecords,
  readMeta,
  writeClusterRecord,
  writeMeta,
  type ClusterRecord,
  type PodRecord,
  type RequestRecord,
  type RunResults,
} from '../../../src/lib/runs/index.js'
import {requestRecord} from '../../support/records.js'
import {SMALL_RUN_ORIGIN_MS, writeSmallRun} from '../../support/small-run.js'
import {temporaryFolder} from '../../support/temporary.js'

/** Seconds since the run's origin. */
const at = (seconds: number): string => new Date(SMALL_RUN_ORIGIN_MS + seconds * 1000).toISOString()

const pod = (
  created: number,
  ready: [number, number | null][],
  finished: number | null = null,
): PodRecord => ({
  ...{name: `demo-predictor-${created}`, node: 'gpu-1', created_at: at(created), started_at: at(created)},
  finished_at: finished === null ? null : at(finished),
  ready: ready.map(([from, to]) => ({from: at(from), to: to === null ? null : at(to)})),
  containers: [],
})
const cluster = (...pods: PodRecord[]): ClusterRecord => ({
  ...{schema_version: 1, namespace: 'ml', service: 'demo', kind: 'InferenceService', context: null},
  ...{is_watched: true, pods, nodes: []},
})
const spansOf = (...pods: PodRecord[]): number[][] =>
  podColdSpans(cluster(...pods), {from: SMALL_RUN_ORIGIN_MS, to: SMALL_RUN_ORIGIN_MS + 100_000}).map(span =>
    [span.fromMs, span.toMs].map(ms => (ms - SMALL_RUN_ORIGIN_MS) / 1000),
  )

describe('cold starts of pods', () => {
  const folder = temporaryFolder()

  it('last from five seconds before a pod is made until it is ready, within the run', () => {
    expect(spansOf(pod(30, [[50, null]]))).to.deep.equal([[25, 50]])
    expect(spansOf(pod(-20, [[3, null]]))).to.deep.equal([[0, 3]])
    expect(spansOf(pod(-20, [[-3, null]]))).to.deep.equal([])
    expect(spansOf(pod(80, []))).to.deep.equal([[75, 100]])
    expect(spansOf(pod(80, [], 90))).to.deep.equal([[75, 90]])
  })

  it('are none while another pod is ready', () => {
    expect(spansOf(pod(-60, [[-50, null]]), pod(30, [[50, null]]))).to.deep.equal([])
    expect(spansOf(pod(-60, [[-50, 40]], 45), pod(30, [[50, null]]))).to.deep.equal([[40, 50]])
    // The second of two that start together is late for nobody.
    expect(spansOf(pod(30, [[50, null]]), pod(31, [[60, null]]))).to.deep.equal([
      [25, 50],
      [26, 50],
    ])
  })

  it('are also those of a pod that crashed and is ready again', () => {
    expect(spansOf(pod(-60, [[-50, 20], [45, null]]))).to.deep.equal([[20, 45]]) // prettier-ignore
  })

  const request = (id: number, sent: number, firstToken: number | null, done: number): RequestRecord => {
    const [sentAtMs, firstTokenAtMs, doneAtMs] = [sent * 1000, firstToken && firstToken * 1000, done * 1000]
    return requestRecord({
      ...{
        id,
        requestId: `run-${id}`,
        scheduledAtMs: sentAtMs,
        sentAtMs,
        headAtMs: doneAtMs,
        firstByteAtMs: firstTokenAtMs,
      },
      ...{
        roleAtMs: null,
        firstTokenAtMs,
        answerAtMs: firstTokenAtMs,
        lastTokenAtMs: firstTokenAtMs,
        doneAtMs,
      },
      ...{gapsUs: new Uint32Array(), chunkCount: 1, completionTokens: 1},
      ...(firstToken === null && {
        outcome: 'http_5xx' as const,
        status: 503,
        chunkCount: 0,
        completionTokens: null,
      }),
    })
  }

  it('mark exactly the requests that waited for one, that which caused it too, and those that failed meanwhile', async () => {
    const records = [
      request(1, 1, 1.5, 2), // warm, by the pod before
      request(2, 29.5, 51, 52), // caused it: sent before the pod was made
      request(3, 40, 50.5, 60), // sent while it started
      request(4, 44, null, 45), // refused meanwhile
      request(5, 50, 50.2, 51), // sent when it was ready
      request(6, 24, 24.9, 60), // had its first token before
      request(7, 80, 80.1, 81),
    ]
    const run = await writeSmallRun(`${folder()}/run`, {mode: 'open', requests: 7}, records)
    await writeClusterRecord(run, cluster(pod(-60, [[-50, 20]], 22), pod(30, [[50, null]])))
    const {results} = await computeRunFigures(run)
    const cold: Partial<RunResults> = {
      cold_start_count: 1,
      cold_count: 3,
      cold_success_count: 2,
      warm_count: 4,
    }
    expect(results).to.deep.include(cold)
    expect(results).to.deep.include({cold_error_rate: 0.333333, cold_ttft_p50_ms: 16_000}) // of 21.5 and 10.5 s
    expect(results.cold_spans).to.deep.equal([{start_seconds: 25, end_seconds: 50, kind: 'pod'}])
  })

  it('are none between the parts of a resumed run, and stand in its time', async () => {
    const run = await writeSmallRun(`${folder()}/run`, {mode: 'open', requests: 1}, [request(1, 1, 1.5, 10)])
    const meta = await readMeta(run)
    const again = await createRecordWriter(
      run,
      SMALL_RUN_ORIGIN_MS + 1_000_000,
      await keepRecords(run, new Set([1])),
    )
    await again.append([request(2, 1, 4, 5), request(3, 5, 6, 20)])
    await again.close()
    const parts = [0, 1].map(part => ({
      ...{origin_epoch_ms: SMALL_RUN_ORIGIN_MS + part * 1_000_000, run_ms: part * 10_000, rows_before: part},
    }))
    await writeMeta(run, {...meta, origin_epoch_ms: SMALL_RUN_ORIGIN_MS, parts})
    // The first pod went in the time between; the second was ready 3 s into the second part.
    await writeClusterRecord(run, cluster(pod(-60, [[-50, 400]], 400), pod(990, [[1003, null]])))
    const {results} = await computeRunFigures(run)
    expect(results.cold_spans).to.deep.equal([{start_seconds: 10, end_seconds: 13, kind: 'pod'}])
    expect(results).to.deep.include({cold_count: 1, warm_count: 2})
  })
})
