import {analyzeRun} from '../../src/lib/analysis/index.js'
import {seededRandom} from '../../src/lib/foundation/index.js'
import {
  createRecordWriter,
  createTimeSeriesWriter,
  openRunDirectory,
  writeMeta,
  type RequestRecord,
  type RunDirectory,
} from '../../src/lib/runs/index.js'
import {mkdirSync} from 'node:fs'
import {requestRecord} from './records.js'

export interface RunFixtureOptions {
  readonly requests: number
  readonly warmupRequests: number
  readonly concurrency: number
  readonly tokens: number
  readonly model: string
  /** Text of the failures; every 25th measured request is one. */
  readonly failure: string
  /** Of its random numbers; 11 unless given. */
  readonly seed?: number
  /** Factor of every TTFT; 1 unless given. */
  readonly ttftFactor?: number
}

const ORIGIN_EPOCH_MS = Date.UTC(2026, 0, 31, 14, 30, 15)
const MIB = 1024 ** 2

/** Writes a whole run as `kvctl bench` leaves one, analyzed, the same for the same options. */
export async function writeRunFixture(path: string, options: RunFixtureOptions): Promise<RunDirectory> {
  mkdirSync(path, {recursive: true})
  const run = await openRunDirectory(path)
  const records = fixtureRecords(options)
  const endMs = records.reduce((end, record) => Math.max(end, record.doneAtMs ?? 0), 0)
  await writeMeta(run, {
    url: 'http://127.0.0.1:8000',
    model: options.model,
    concurrency: options.concurrency,
    requests: options.requests,
    warmup_requests: options.warmupRequests,
    max_tokens: options.tokens,
    pattern: 'steady',
    mode: 'closed',
    stream: true,
    seed: 42,
    status: 'complete',
    started_at: new Date(ORIGIN_EPOCH_MS).toISOString(),
    origin_epoch_ms: ORIGIN_EPOCH_MS,
    server: {segment: 'kvctl-1', is_embedded: true, version: '0.1.0', max_model_len: 32_768, pid: 1},
  })
  const writer = await createRecordWriter(run, ORIGIN_EPOCH_MS)
  for (let from = 0; from < records.length; from += 1000)
    await writer.append(records.slice(from, from + 1000))
  await writer.close()
  const series = await createTimeSeriesWriter(run)
  for (let at_ms = 0; at_ms < endMs; at_ms += Math.max(100, endMs / 300)) {
    const limit_bytes = at_ms < endMs / 2 ? 64 * MIB : 32 * MIB
    const used_bytes = Math.min(limit_bytes, 48 * MIB) - 4 * MIB
    await series.append({
      at_ms,
      segments: [{name: 'kvctl-1', limit_bytes, used_bytes, prealloc_bytes: 4 * MIB}],
    })
  }
  await series.close()
  await analyzeRun(run)
  return run
}

/** A closed loop: a slot sends as soon as its last request has ended. */
function fixtureRecords(options: RunFixtureOptions): RequestRecord[] {
  const random = seededRandom(options.seed ?? 11)
  const slots = new Float64Array(options.concurrency).fill(5)
  const total = options.warmupRequests + options.requests
  return Array.from({length: total}, (_, index): RequestRecord => {
    const slot = slots.indexOf(slots.reduce((least, value) => Math.min(least, value)))
    const scheduledAtMs = slots[slot]!
    const sentAtMs = scheduledAtMs + 0.2
    const identity = {id: index + 1, requestId: `run-${index + 1}`, scheduledAtMs, sentAtMs}
    if (index >= options.warmupRequests && (index - options.warmupRequests) % 25 === 24) {
      slots[slot] = sentAtMs + 12
      return requestRecord({
        ...identity,
        ...{
          outcome: 'http_5xx',
          status: 503,
          error: options.failure,
          headAtMs: sentAtMs + 11,
          doneAtMs: sentAtMs + 12,
        },
        ...{
          firstByteAtMs: null,
          roleAtMs: null,
          firstTokenAtMs: null,
          answerAtMs: null,
          lastTokenAtMs: null,
          gapsUs: new Uint32Array(),
        },
        ...{
          chunkCount: 0,
          promptTokens: null,
          completionTokens: null,
          tokensSource: 'none',
          finishReason: null,
        },
      })
    }
    const ttftMs = (30 + random.exponential(20)) * (options.ttftFactor ?? 1)
    const firstTokenAtMs = sentAtMs + ttftMs
    const gapsUs = Uint32Array.from({length: options.tokens - 1}, () => 8000 + random.integer(0, 4000))
    const lastTokenAtMs = firstTokenAtMs + gapsUs.reduce((sum, gap) => sum + gap, 0) / 1000
    slots[slot] = lastTokenAtMs + 1
    return requestRecord({
      ...identity,
      ...{
        phase: index < options.warmupRequests ? 'warmup' : 'measure',
        firstTokenAtMs,
        answerAtMs: firstTokenAtMs,
        lastTokenAtMs,
        gapsUs,
      },
      ...{headAtMs: firstTokenAtMs - 2, firstByteAtMs: firstTokenAtMs - 1, roleAtMs: firstTokenAtMs - 1},
      ...{doneAtMs: lastTokenAtMs + 0.3, chunkCount: options.tokens, completionTokens: options.tokens},
    })
  })
}
