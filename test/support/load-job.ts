import {
  planBench,
  runLoadJob,
  wholeList,
  type BenchOptions,
  type LoadJob,
  type LoadReport,
} from '../../src/lib/bench/index.js'
import type {RequestRecord} from '../../src/lib/runs/index.js'

/** Benchmark options with everything set, for tests that change one thing. */
export function benchOptions(changes: Partial<BenchOptions> = {}): BenchOptions {
  return {
    pattern: 'steady',
    requests: 10,
    concurrency: 4,
    ratePerSecond: null,
    durationSeconds: null,
    maxInFlight: null,
    warmupRequests: 0,
    cancelShare: 0,
    cancelAfterMs: 1000,
    connections: 'kept',
    urlOrder: 'in-turn',
    burstiness: 1,
    rampFromPerSecond: 0,
    onSeconds: 1,
    offSeconds: 1,
    offRatePerSecond: 0,
    stages: [],
    isNormalized: false,
    rampUpMs: 0,
    request: {
      api: 'chat',
      isStreamed: true,
      maxTokens: 8,
      temperature: 0,
      topP: null,
      ignoresEos: false,
      prompt: {kind: 'synthetic', tokens: 16},
      isItlExact: false,
      tokenizer: null,
      lengthKey: 'max_tokens',
      sessionHeader: null,
      headers: {},
      extraBody: {},
    },
    limits: {connectMs: 2000, firstTokenMs: null, idleMs: 60_000, totalMs: 300_000},
    arrivalSeed: 42,
    promptSeed: 7,
    ...changes,
  }
}

/** A job for a server on this machine. */
export function loadJob(port: number, options: BenchOptions, host = '127.0.0.1'): LoadJob {
  const plan = planBench(options)
  return {
    plan,
    list: wholeList(plan),
    targets: [{host, port, isTls: false, isInsecure: false, limits: plan.limits, isKept: true}],
    transport: 'socket',
    recipe: {
      runId: 'test',
      routes: [{host, port, isTls: false, apiPath: '/v1'}],
      model: 'truth',
      shape: plan.request,
      promptSeed: plan.promptSeed,
      fit: {words: 12, tokensPerWord: 1, overheadTokens: 0},
      apiKey: null,
      items: null,
      places: null,
      urlOrder: 'in-turn',
    },
  }
}

export interface JobResult {
  readonly records: readonly RequestRecord[]
  readonly reports: readonly LoadReport[]
  /** The run's origin on the machine's monotonic clock, ms. */
  readonly originMs: number
}

/** Runs a job in this process. @param onReport may stop it */
export async function runJob(
  job: LoadJob,
  signal: AbortSignal = new AbortController().signal,
  onReport: (report: LoadReport) => void = () => undefined,
): Promise<JobResult> {
  const reports: LoadReport[] = []
  const take = (report: LoadReport): void => {
    reports.push(report)
    onReport(report)
  }
  const originNs = Number(process.hrtime.bigint())
  const startLine = {
    begin: async () => originNs,
    measure: async () => Number(process.hrtime.bigint()) + 2e6,
  }
  await runLoadJob(job, take, startLine, signal)
  const records = reports.flatMap(report => (report.kind === 'records' ? report.records : []))
  return {records, reports, originMs: originNs / 1e6}
}
