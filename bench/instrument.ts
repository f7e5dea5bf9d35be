/**
 * Whether the error that the load generator states about itself covers the true one: runs at several loads against a server
 * that writes down, on the same monotonic clock, when it really sent each token.
 *
 *   npm run build:test && node build/bench/instrument.js [runs [streams…]]
 *
 * The server stamps before and after each write, because it may lose its processor in between. The true error of a TTFT is how
 * long after the write of its first token it was stamped; of a gap, how far it lies from what the server's can have been. A
 * run is covered when its stated p99 is at least the true p99, or when it calls itself client_limited.
 */
import {execFile} from 'node:child_process'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'
import {benchOptions, loadJob, runJob} from '../test/support/load-job.js'
import {startTruthServer} from '../test/support/truth.js'
import {instrumentJson} from '../src/lib/bench/index.js'
import {clientLimits} from '../src/lib/metrics/index.js'
import {median} from './support/median.js'

const TOKENS = 32
const [TTFT_MS, GAP_MS] = [100, 25]
const REQUESTS_PER_STREAM = 2

interface Seen {
  readonly ttftErrorP99Ms: number
  readonly gapErrorP99Ms: number
  /** Instants of the machine's clock, ms: of first tokens, and gaps after them. */
  readonly requests: Readonly<Record<string, {firstMs: number; gapsUs: readonly number[]}>>
}

async function runClient(port: number, streams: number): Promise<Seen> {
  const options = benchOptions({requests: streams * REQUESTS_PER_STREAM, concurrency: streams})
  const job = loadJob(port, {...options, request: {...options.request, maxTokens: TOKENS}})
  const {records, reports, originMs} = await runJob(job)
  const finished = reports.find(report => report.kind === 'finished')!
  const stated = instrumentJson([finished.instrument])
  return {
    ttftErrorP99Ms: stated.ttft_error_p99_ms!,
    gapErrorP99Ms: stated.gap_error_p99_ms!,
    requests: Object.fromEntries(
      records.map(record => [
        record.requestId,
        {
          firstMs: originMs + record.firstTokenAtMs!,
          gapsUs: [...record.gapsUs],
        },
      ]),
    ),
  }
}

/** The 99th percentile by rank: the smallest value that 99 % do not exceed. */
function p99(values: number[]): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.ceil(0.99 * sorted.length) - 1]!
}

interface Verdict {
  readonly isLimited: boolean
  readonly stated: readonly [ttftMs: number, gapMs: number]
  readonly true: readonly [ttftMs: number, gapMs: number]
}

async function measure(streams: number): Promise<Verdict> {
  const server = await startTruthServer({ttftMs: TTFT_MS, gapMs: GAP_MS, tokens: TOKENS})
  const args = [fileURLToPath(import.meta.url), '--as', String(server.port), String(streams)]
  const {stdout} = await promisify(execFile)(process.execPath, args, {timeout: 120_000, maxBuffer: 2 ** 28})
  const seen = JSON.parse(stdout) as Seen
  const [late, gaps]: number[][] = [[], []]
  for (const {requestId, tokenMs, writtenMs} of await server.stop()) {
    const {firstMs, gapsUs} = seen.requests[requestId]!
    late!.push(firstMs - writtenMs[0]!)
    for (const [index, gapUs] of gapsUs.entries()) {
      const least = tokenMs[index + 1]! - writtenMs[index]!
      const most = writtenMs[index + 1]! - tokenMs[index]!
      gaps!.push(Math.max(0, gapUs / 1000 - most, least - gapUs / 1000))
    }
  }
  const limits = clientLimits({
    latenessP99Ms: null,
    ttftErrorP99Ms: seen.ttftErrorP99Ms,
    gapErrorP99Ms: seen.gapErrorP99Ms,
    ttftP50Ms: TTFT_MS,
    iclP50Ms: GAP_MS,
  })
  return {
    isLimited: limits.length > 0,
    stated: [seen.ttftErrorP99Ms, seen.gapErrorP99Ms],
    true: [p99(late!), p99(gaps!)],
  }
}

async function report(streams: number, runs: number): Promise<void> {
  const verdicts: Verdict[] = []
  for (let run = 0; run < runs; run++) verdicts.push(await measure(streams))
  const isCovered = (verdict: Verdict, index: number): boolean =>
    verdict.stated[index]! >= verdict.true[index]!
  for (const [index, what] of ['TTFT', 'gap'].entries()) {
    const covered = verdicts.filter(verdict => isCovered(verdict, index)).length
    const silent = verdicts.filter(verdict => !isCovered(verdict, index) && !verdict.isLimited).length
    const middle = (kind: 'stated' | 'true'): string =>
      median(verdicts.map(verdict => verdict[kind][index]!)).toFixed(2)
    const worst = Math.max(...verdicts.map(verdict => verdict.true[index]! - verdict.stated[index]!))
    console.log(
      `${String(streams).padStart(5)} streams  ${what.padEnd(4)}  stated p99 ${middle('stated').padStart(7)} ms  true p99 ` +
        `${middle('true').padStart(7)} ms  covered in ${covered} of ${runs} runs, silently wrong in ${silent}` +
        (worst > 0 ? `, short by ${worst.toFixed(3)} ms at most` : ''),
    )
  }
}

const [flag, ...rest] = process.argv.slice(2)
if (flag === '--as') {
  process.stdout.write(JSON.stringify(await runClient(Number(rest[0]), Number(rest[1]))))
} else {
  const streams = rest.length > 0 ? rest.map(Number) : [10, 50, 200, 1000]
  for (const count of streams) await report(count, Number(flag ?? 20))
}
