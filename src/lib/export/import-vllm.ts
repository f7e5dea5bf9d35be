import {rm} from 'node:fs/promises'
import {join} from 'node:path'
import {analyzeRun, computeRunFigures} from '../analysis/index.js'
import {
  createRecordWriter,
  RUN_FILES,
  writeImported,
  writeJsonAtomic,
  writeMeta,
  type RequestRecord,
  type RunDirectory,
  type RunMeta,
  type RunResults,
} from '../runs/index.js'
import type {VllmFile, VllmResult} from './vllm-file.js'
import {overlayOfTotals} from './vllm-totals.js'

export interface ImportedRun {
  readonly results: RunResults
  /** False when the file holds no single requests, so that only its totals could be taken. */
  readonly hasRequests: boolean
}

/**
 * Makes a run directory of one result of `vllm bench serve`: records, gaps and figures when it was saved with `--save-detailed`,
 * else its totals. The document itself is kept beside them, so that export gives it back.
 *
 * @throws ResourceError `DISK_FULL`, `NOT_WRITABLE`
 */
export async function importVllm(
  run: RunDirectory,
  {file, document}: VllmResult,
  source: string,
): Promise<ImportedRun> {
  const endMs = endEpochMs(file.date)
  const originEpochMs = endMs - file.duration * 1000
  const {ttfts, itls, start_times, output_lens} = file
  const hasRequests = [ttfts, itls, start_times, output_lens].every(list => list?.length === file.num_prompts)
  await writeImported(run, document)
  await writeMeta(run, metaOf(run, file, originEpochMs, source))
  const writer = await createRecordWriter(run, originEpochMs)
  if (hasRequests) await writer.append(recordsOf(file, run.runId))
  await writer.close()
  if (hasRequests) return {results: (await analyzeRun(run)).results, hasRequests}
  // An empty table gives every key its null; without the table nobody computes these again from nothing.
  const {results: empty} = await computeRunFigures(run)
  await rm(join(run.path, RUN_FILES.requests))
  await rm(join(run.path, RUN_FILES.gaps))
  const results = overlayOfTotals(empty, file, document)
  await writeJsonAtomic(join(run.path, RUN_FILES.results), results)
  return {results, hasRequests}
}

/** @returns records in order of sending; times below a microsecond are rounded away */
function recordsOf(file: VllmFile, runId: string): RequestRecord[] {
  const starts = file.start_times!
  const firstStart = starts.reduce((least, start) => Math.min(least, start), Infinity)
  return starts.map((start, index): RequestRecord => {
    const gapsUs = Uint32Array.from(file.itls![index]!, gap => Math.round(gap * 1e6))
    const error = file.errors?.[index] ?? ''
    // Without texts of errors, what brought no token has failed.
    const isOk = error === '' && (file.output_lens![index]! > 0 || file.errors !== undefined)
    const sentAtMs = micros((start - firstStart) * 1000)
    const ttftMs = file.ttfts![index]! * 1000
    const lastMs = ttftMs + gapsUs.reduce((sum, gap) => sum + gap / 1000, 0)
    const hasToken = ttftMs > 0
    const latencyMs = (file.latencies?.[index] ?? 0) * 1000 || lastMs
    const at = (ms: number): number | null => (hasToken ? micros(sentAtMs + ms) : null)
    return {
      id: index + 1,
      requestId: `${runId}-${index + 1}`,
      traceId: '',
      phase: 'measure',
      session: index + 1,
      turn: 0,
      server: 0,
      outcome: isOk ? 'ok' : 'invalid_response',
      status: isOk ? 200 : 0,
      error,
      scheduledAtMs: micros(sentAtMs - (file.queue_times?.[index] ?? 0) * 1000),
      sentAtMs,
      headAtMs: null,
      firstByteAtMs: at(ttftMs),
      roleAtMs: null,
      firstTokenAtMs: at(ttftMs),
      lastTokenAtMs: hasToken ? micros(sentAtMs + latencyMs) : null,
      answerAtMs: null,
      doneAtMs: micros(sentAtMs + latencyMs),
      connectMs: null,
      gapsUs,
      chunkCount: hasToken ? gapsUs.length + 1 : 0,
      chunkTokens: null,
      firstChunkTokens: null,
      promptTokens: file.input_lens?.[index] ?? null,
      completionTokens: isOk ? file.output_lens![index]! : null,
      cachedTokens: null,
      reasoningTokens: null,
      tokensSource: 'usage',
      finishReason: null,
      retryAfterMs: null,
      bodyBytes: 0,
    }
  })
}

function metaOf(
  run: RunDirectory,
  file: VllmFile,
  originEpochMs: number,
  source: string,
): Parameters<typeof writeMeta>[1] {
  const rate = typeof file.request_rate === 'number' ? file.request_rate : null
  const isOpen = rate !== null
  const meta: Partial<RunMeta> = {
    run_id: run.runId,
    status: 'complete',
    model: file.model_id,
    concurrency: file.max_concurrency ?? null,
    requests: file.num_prompts,
    pattern: isOpen ? 'poisson' : 'steady',
    mode: isOpen || file.max_concurrency == null ? 'open' : 'closed',
    target_rps: rate,
    stream: true,
    endpoint: file.backend?.includes('chat') ? '/v1/chat/completions' : '/v1/completions',
    started_at: new Date(originEpochMs).toISOString(),
    ended_at: new Date(originEpochMs + file.duration * 1000).toISOString(),
    origin_epoch_ms: originEpochMs,
  }
  return {...meta, imported: {format: 'vllm', source}}
}

/** vLLM writes local time, after the run. */
function endEpochMs(date: string | undefined): number {
  const parts = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)$/
    .exec(date ?? '')
    ?.slice(1)
    .map(Number)
  if (parts === undefined) return Date.now()
  const [year, month, day, hours, minutes, seconds] = parts as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return new Date(year, month - 1, day, hours, minutes, seconds).getTime()
}

/** To the microsecond, as records are kept. */
function micros(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
