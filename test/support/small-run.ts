import {mkdirSync} from 'node:fs'
import {
  createRecordWriter,
  openRunDirectory,
  writeMeta,
  type RequestRecord,
  type RunDirectory,
  type RunMeta,
} from '../../src/lib/runs/index.js'
import {requestRecord} from './records.js'

export const SMALL_RUN_ORIGIN_MS = Date.UTC(2026, 0, 31, 14, 30, 15)

/** Two answers and a failure; every sum over them can be done in the head. */
export const SMALL_RUN_RECORDS: readonly RequestRecord[] = [
  // TTFT 100 ms, gaps 20 and 30, last token at 150, end at 155 ms after the send; sent 2 ms late.
  requestRecord(),
  // TTFT 200 ms, a gap of 40, end at 250 ms.
  requestRecord({
    ...{id: 2, requestId: 'run-2', scheduledAtMs: 20, sentAtMs: 20, headAtMs: 50, firstByteAtMs: 60},
    ...{roleAtMs: 61, firstTokenAtMs: 220, lastTokenAtMs: 260, doneAtMs: 270},
    ...{gapsUs: Uint32Array.of(40_000), chunkCount: 2, completionTokens: 2},
  }),
  requestRecord({
    ...{id: 3, requestId: 'run-3', scheduledAtMs: 30, sentAtMs: 30, headAtMs: 41, doneAtMs: 42},
    ...{outcome: 'http_5xx', status: 503, error: 'the queue is full', finishReason: null},
    ...{firstByteAtMs: null, roleAtMs: null, firstTokenAtMs: null, lastTokenAtMs: null},
    ...{gapsUs: new Uint32Array(), chunkCount: 0, promptTokens: null, completionTokens: null},
    tokensSource: 'none',
  }),
]

/** Writes that run, or other records, without analyzing it. */
export async function writeSmallRun(
  path: string,
  meta: Partial<RunMeta> = {},
  records: readonly RequestRecord[] = SMALL_RUN_RECORDS,
): Promise<RunDirectory> {
  mkdirSync(path, {recursive: true})
  const run = await openRunDirectory(path)
  await writeMeta(run, {
    ...{
      run_id: 'run',
      url: 'http://127.0.0.1:8000',
      model: 'org/toy',
      concurrency: 2,
      requests: records.length,
    },
    ...{pattern: 'steady', mode: 'closed', stream: true, endpoint: '/v1/chat/completions'},
    ...{started_at: new Date(SMALL_RUN_ORIGIN_MS).toISOString(), origin_epoch_ms: SMALL_RUN_ORIGIN_MS},
    ...meta,
  })
  const writer = await createRecordWriter(run, SMALL_RUN_ORIGIN_MS)
  await writer.append(records)
  await writer.close()
  return run
}
