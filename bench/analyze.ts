/**
 * Time and peak memory of `kvctl analyze` on a large run, each in a process of its own, next to reading the same files
 * without looking at them: `node build/bench/analyze.js [--requests 1000000] [--gaps 31] [--rounds 5]`.
 */
import {spawnSync} from 'node:child_process'
import {mkdtempSync, rmSync, statSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {parseArgs} from 'node:util'
import {computeRunFigures} from '../src/lib/analysis/index.js'
import {seededRandom} from '../src/lib/foundation/index.js'
import {
  claimRunDirectory,
  createRecordWriter,
  openRunDirectory,
  writeMeta,
  type RequestRecord,
} from '../src/lib/runs/index.js'

const ORIGIN = 1_757_687_415_000
const CONCURRENCY = 64
const BATCH = 10_000

async function generate(path: string, requests: number, gaps: number): Promise<void> {
  const run = await claimRunDirectory(path)
  await writeMeta(run, {mode: 'closed', concurrency: CONCURRENCY, requests, origin_epoch_ms: ORIGIN})
  const writer = await createRecordWriter(run, ORIGIN)
  const random = seededRandom(1)
  const freeAt = new Float64Array(CONCURRENCY)
  for (let from = 1; from <= requests; from += BATCH) {
    const batch: RequestRecord[] = []
    for (let id = from; id < Math.min(requests + 1, from + BATCH); id++)
      batch.push(record(id, freeAt, gaps, random))
    await writer.append(batch)
  }
  await writer.close()
}

function record(
  id: number,
  freeAt: Float64Array,
  gaps: number,
  random: ReturnType<typeof seededRandom>,
): RequestRecord {
  const slot = id % CONCURRENCY
  const scheduledAtMs = freeAt[slot]!
  const sentAtMs = scheduledAtMs + random.unit()
  const firstTokenAtMs = sentAtMs + 20 + random.exponential(30)
  const gapsUs = Uint32Array.from({length: gaps}, () => Math.max(0, Math.round(random.normal(8000, 1500))))
  const lastTokenAtMs = firstTokenAtMs + gapsUs.reduce((sum, gap) => sum + gap, 0) / 1000
  freeAt[slot] = lastTokenAtMs + 0.5
  const isOk = random.unit() > 0.01
  return {
    id,
    requestId: `bench-${id}`,
    traceId: id.toString(16).padStart(32, '0'),
    phase: 'measure',
    session: id,
    turn: 0,
    server: 0,
    outcome: isOk ? 'ok' : 'reset',
    status: 200,
    error: isOk ? '' : 'socket hang up, after "half" of it',
    scheduledAtMs,
    sentAtMs,
    headAtMs: firstTokenAtMs - 1,
    firstByteAtMs: firstTokenAtMs - 1,
    roleAtMs: firstTokenAtMs - 1,
    firstTokenAtMs,
    lastTokenAtMs,
    doneAtMs: lastTokenAtMs + 0.2,
    connectMs: null,
    gapsUs,
    chunkCount: gaps + 1,
    chunkTokens: null,
    firstChunkTokens: null,
    answerAtMs: null,
    reasoningTokens: null,
    retryAfterMs: null,
    promptTokens: 128,
    completionTokens: gaps + 1,
    cachedTokens: null,
    tokensSource: 'usage',
    finishReason: 'length',
    bodyBytes: 9000,
  }
}

async function measureOne(path: string): Promise<void> {
  const run = await openRunDirectory(path)
  const started = performance.now()
  const {results} = await computeRunFigures(run)
  const seconds = (performance.now() - started) / 1000
  const {user, system} = process.cpuUsage()
  const cpuSeconds = (user + system) / 1e6
  const peakMb = process.resourceUsage().maxRSS / 1024
  process.stdout.write(JSON.stringify({seconds, cpuSeconds, peakMb, requests: results.requests.total}))
}

const {values} = parseArgs({
  options: {
    requests: {type: 'string', default: '1000000'},
    gaps: {type: 'string', default: '31'},
    rounds: {type: 'string', default: '5'},
    measure: {type: 'string'},
  },
})
if (values.measure === undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'kvctl-bench-analyze-'))
  try {
    const path = join(folder, 'run')
    await generate(path, Number(values.requests), Number(values.gaps))
    const mb = (name: string): string => (statSync(join(path, name)).size / 1e6).toFixed(0)
    console.log(
      `${values.requests} requests, ${values.gaps} gaps each: requests.csv ${mb('requests.csv')} MB, gaps.bin ${mb('gaps.bin')} MB`,
    )
    const rounds = Array.from({length: Number(values.rounds)}, () => {
      const {stdout} = spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--measure', path], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      return JSON.parse(stdout) as {seconds: number; cpuSeconds: number; peakMb: number}
    })
    const median = (key: 'seconds' | 'cpuSeconds' | 'peakMb'): number =>
      rounds.map(round => round[key]).sort((a, b) => a - b)[Math.floor(rounds.length / 2)]!
    console.log(
      `analyze: median ${median('seconds').toFixed(2)} s (goal ≤ 5; ${median('cpuSeconds').toFixed(2)} s of processor time with the start), peak ${median('peakMb').toFixed(0)} MB (goal ≤ 500)`,
    )
  } finally {
    rmSync(folder, {recursive: true, force: true})
  }
} else {
  await measureOne(values.measure)
}
