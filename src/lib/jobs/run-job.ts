import {join} from 'node:path'
import {
  requestsIn,
  runBench,
  runVerdict,
  wholeList,
  type BenchAsk,
  type BenchParts,
  type LoadCounts,
} from '../bench/index.js'
import {errorDocument, EXIT, KvctlError} from '../foundation/index.js'
import {missedRules} from '../gate/index.js'
import {RUN_FILES} from '../runs/index.js'
import type {JobProgress, JobReport} from './job.js'
import type {JobRequest} from './job-request.js'
import {RecentRecords} from './live-figures.js'
import {planJob} from './plan-job.js'

/** What the process of a run is told. */
export type JobOrder =
  | {
      readonly kind: 'run'
      readonly request: JobRequest
      readonly targets: readonly string[]
      readonly runPath: string
    }
  | {readonly kind: 'cancel'}

const REPORT_MS = 500

/** One benchmark from plan to report, in a process of its own. Tells how it goes, and at the end how it ended; never throws. */
export async function runJob(
  {request, targets}: Extract<JobOrder, {kind: 'run'}>,
  parts: BenchParts,
  report: (one: JobReport) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    report({kind: 'stage', stage: 'validate'})
    const {ask, prices} = await planJob(request, targets)
    const outcome = await measure(ask, parts, report, signal)
    if (prices !== null) {
      report({kind: 'stage', stage: 'cost'})
      const {priceRun} = await import('../cost/index.js')
      await priceRun(outcome.run, prices)
    }
    report({kind: 'stage', stage: 'analyze'})
    const {analyzeRun} = await import('../analysis/index.js')
    const {results} = await analyzeRun(outcome.run)
    report({kind: 'stage', stage: 'report'})
    const {writeReport} = await import('../report/index.js')
    await writeReport(outcome.run, join(outcome.run.path, RUN_FILES.report))
    if (outcome.wasStopped) throw new Error('cancelled')
    const failure = runVerdict(outcome.outcomes, outcome.url)
    if (failure !== null) throw failure
    const missed = missedRules(results)
    report({
      kind: 'ended',
      status: 'completed',
      exitCode: missed?.exitCode ?? 0,
      error: missed && messageOf(missed),
    })
  } catch (error) {
    const exitCode = error instanceof KvctlError ? error.exitCode : EXIT.general
    if (signal.aborted) report({kind: 'ended', status: 'cancelled', exitCode: EXIT.interrupted, error: null})
    else report({kind: 'ended', status: 'failed', exitCode, error: messageOf(error)})
  }
}

async function measure(
  ask: BenchAsk,
  parts: BenchParts,
  report: (one: JobReport) => void,
  signal: AbortSignal,
): ReturnType<typeof runBench> {
  const {plan} = ask
  const total = requestsIn(wholeList(plan))
  const live = new RecentRecords()
  let counts: LoadCounts = {sent: 0, done: 0, failed: 0, inFlight: 0, tokens: 0}
  let isWarm = plan.warmupRequests === 0
  report({kind: 'stage', stage: isWarm ? 'load' : 'warmup'})
  const tell = (): void => {
    const now = performance.now()
    report({
      kind: 'progress',
      progress: progressOf(counts, total),
      live: live.figures(now),
      observations: live.take(),
    })
  }
  const timer = setInterval(tell, REPORT_MS)
  try {
    return await runBench(
      ask,
      parts,
      {
        note: () => undefined,
        progress(now) {
          counts = now
          if (isWarm || now.done + now.failed < plan.warmupRequests) return
          isWarm = true
          report({kind: 'stage', stage: 'load'})
        },
        answered: records => live.add(records, performance.now()),
      },
      signal,
    )
  } finally {
    clearInterval(timer)
    tell()
  }
}

function progressOf({sent, done, failed, inFlight}: LoadCounts, total: number): JobProgress {
  const percent = total === 0 ? 0 : Math.round((1000 * (done + failed)) / total) / 10
  return {total, sent, completed: done + failed, failed, in_flight: inFlight, percent}
}

function messageOf(error: unknown): {code: string; message: string} {
  const {code, message} = errorDocument(error).error
  return {code, message}
}
