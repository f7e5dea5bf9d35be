import {availableParallelism, hostname} from 'node:os'
import {ConfigurationError, packageVersion, type Clock, type Logger} from '../foundation/index.js'
import type {HttpClient} from '../http/index.js'
import type {EmbeddedEngine, InferenceTarget} from '../inference/index.js'
import type {RunDirectory, RunMeta, writeMeta} from '../runs/index.js'
import type {SegmentStore} from '../segments/index.js'
import type {BenchPlan, RequestShape} from './bench-plan.js'
import type {LoadCounts} from './load-loop.js'
import type {TransportTarget} from './load-transport.js'
import {createPromptWriter, wordsForTokens} from './prompts.js'
import type {LoadJob} from './load-worker.js'
import {runLoad, type LoadEnd, type LoadProcess} from './run-load.js'

/** What a run needs of the world. */
export interface BenchParts {
  readonly http: HttpClient
  readonly clock: Clock
  readonly logger: Logger
  /** null where segments cannot be read. */
  readonly segments: SegmentStore | null
  startLoadProcess(): LoadProcess
  startEngine(signal: AbortSignal): Promise<EmbeddedEngine>
  createRunDirectory(): Promise<RunDirectory>
}

/** Whom to measure and what to write down about it. */
export interface BenchAsk {
  readonly plan: BenchPlan
  /** null starts the embedded engine. */
  readonly url: string | null
  readonly model: string | null
  readonly apiKey: string | null
  readonly isInsecure: boolean
  /** For `meta.json` only. */
  readonly notes: Partial<Pick<RunMeta, 'namespace' | 'service' | 'profile' | 'args'>>
}

/** Who watches a run. */
export interface BenchWatcher {
  /** Something the user should know, once. */
  note(line: string): void
  progress(counts: LoadCounts): void
}

export interface BenchOutcome {
  readonly run: RunDirectory
  readonly target: InferenceTarget
  /** Cut short by `signal`; the directory holds what was measured. */
  readonly wasStopped: boolean
  /** How many measured requests ended in each way. */
  readonly outcomes: ReadonlyMap<string, number>
}

/**
 * Measures one server and leaves a run directory with records, time series and `meta.json`. Starts the embedded engine when
 * no URL is given, and stops it. When `signal` is aborted, everything measured until then is kept.
 *
 * @throws NetworkError when the server cannot be reached before the run; ResourceError when its files cannot be written
 */
export async function runBench(
  ask: BenchAsk,
  parts: BenchParts,
  watcher: BenchWatcher,
  signal: AbortSignal,
): Promise<BenchOutcome> {
  const engine = ask.url === null ? await startEngine(parts, watcher, signal) : null
  try {
    return await measure(ask, engine, parts, watcher, signal)
  } finally {
    await engine?.stop()
  }
}

async function startEngine(
  parts: BenchParts,
  watcher: BenchWatcher,
  signal: AbortSignal,
): Promise<EmbeddedEngine> {
  const engine = await parts.startEngine(signal)
  const segment = engine.segment === null ? '' : `, segment ${engine.segment}`
  watcher.note(`No --url given: measuring kvctl's own engine at ${engine.url} (pid ${engine.pid}${segment}).`)
  return engine
}

async function measure(
  ask: BenchAsk,
  engine: EmbeddedEngine | null,
  parts: BenchParts,
  watcher: BenchWatcher,
  signal: AbortSignal,
): Promise<BenchOutcome> {
  const {http} = parts
  const {plan, apiKey} = ask
  const {fetchVersion, findTarget} = await import('../inference/index.js')
  const {startRecording} = await import('./run-recording.js')
  const target = await findTarget(http, {url: engine?.url ?? ask.url!, model: ask.model, apiKey, signal})
  const version = await fetchVersion(http, target.baseUrl, signal)
  const warnings: RunMeta['warnings'] = []
  const promptWords = await fitPrompts(ask, target, http, signal, warnings)
  for (const {message} of warnings) watcher.note(message)

  const run = await parts.createRunDirectory()
  const meta = {...describeRun(ask, target, engine, version, run), warnings}
  const recording = await startRecording(run, meta, {...parts, baseUrl: target.baseUrl, engine}, watcher)
  watcher.note(`${describePlan(plan)} → ${run.path}`)
  let end: LoadEnd | null = null
  try {
    const job = jobOf(ask, target, run, promptWords)
    end = await runLoad(parts.startLoadProcess(), job, recording, signal)
    return {run, target, wasStopped: end.wasStopped, outcomes: recording.outcomes}
  } finally {
    await recording.close(end)
  }
}

function jobOf(ask: BenchAsk, target: InferenceTarget, run: RunDirectory, promptWords: number): LoadJob {
  const {plan, isInsecure, apiKey} = ask
  const {path, ...address} = addressOf(target.baseUrl)
  return {
    plan,
    target: {...address, isInsecure, limits: plan.limits},
    recipe: {
      runId: run.runId,
      ...address,
      apiPath: `${path}${target.apiPath}`,
      model: target.model,
      shape: plan.request,
      promptSeed: plan.promptSeed,
      promptWords,
      apiKey,
    },
  }
}

/** @returns words a prompt needs; adds a warning when their length is a guess */
async function fitPrompts(
  {plan, apiKey}: BenchAsk,
  target: InferenceTarget,
  http: HttpClient,
  signal: AbortSignal,
  warnings: RunMeta['warnings'],
): Promise<number> {
  const {prompt, api, maxTokens} = plan.request
  if (prompt.kind === 'fixed') return 0
  const {maxModelLen} = target
  if (maxModelLen !== null && prompt.tokens + maxTokens > maxModelLen) {
    throw new ConfigurationError(
      'PROMPT_TOO_LONG',
      `${prompt.tokens} prompt tokens and ${maxTokens} answer tokens exceed the ${maxModelLen} that ${target.model} takes`,
      {suggestions: ['--prompt-tokens and --max-tokens that fit together']},
    )
  }
  const {countPromptTokens} = await import('../inference/index.js')
  const {words, isEstimated} = await wordsForTokens(
    prompt.tokens,
    createPromptWriter(plan.promptSeed),
    text => {
      const shape = api === 'chat' ? {messages: [{role: 'user', content: text}]} : {prompt: text}
      return countPromptTokens(http, target, apiKey, shape, signal)
    },
  )
  if (isEstimated) {
    warnings.push({
      code: 'prompt_length_estimated',
      message:
        'the server does not say how long a prompt is in tokens; prompts have 1 word for every 1.3 tokens asked',
    })
  }
  return words
}

function addressOf(baseUrl: string): Pick<TransportTarget, 'host' | 'port' | 'isTls'> & {path: string} {
  const {protocol, hostname: host, port, pathname} = new URL(baseUrl)
  const isTls = protocol === 'https:'
  return {
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? (isTls ? 443 : 80) : Number(port),
    isTls,
    path: pathname === '/' ? '' : pathname,
  }
}

function describePlan(plan: BenchPlan): string {
  const how =
    plan.mode === 'closed'
      ? `${plan.concurrency} at a time`
      : `${plan.pattern} arrivals at ${plan.ratePerSecond!.toFixed(1)}/s for ${(plan.durationMs! / 1000).toFixed(1)} s`
  const warmup = plan.warmupRequests > 0 ? `${plan.warmupRequests} warm-up and ` : ''
  return `Sending ${warmup}${plan.requests} requests, ${how}`
}

function describeRun(
  ask: BenchAsk,
  target: InferenceTarget,
  engine: EmbeddedEngine | null,
  version: string | null,
  run: RunDirectory,
): Parameters<typeof writeMeta>[1] {
  const {plan, notes} = ask
  const startedAt = new Date()
  const route = plan.request.api === 'chat' ? 'chat/completions' : 'completions'
  return {
    url: target.baseUrl,
    model: target.model,
    prompt: describePrompt(plan.request),
    max_tokens: plan.request.maxTokens,
    concurrency: plan.concurrency,
    requests: plan.requests,
    pattern: plan.pattern,
    duration_sec: plan.durationMs === null ? null : plan.durationMs / 1000,
    target_rps: plan.ratePerSecond,
    test_start_time: startedAt.getTime() / 1000,
    run_id: run.runId,
    tool_version: packageVersion,
    started_at: startedAt.toISOString(),
    mode: plan.mode,
    stream: plan.request.isStreamed,
    seed: plan.arrivalSeed,
    prompt_seed: plan.promptSeed,
    schedule_sha256: plan.scheduleSha256,
    endpoint: `${target.baseUrl}${target.apiPath}/${route}`,
    timeout_ms: {
      connect: plan.limits.connectMs,
      ttft: plan.limits.firstTokenMs,
      idle: plan.limits.idleMs,
      total: plan.limits.totalMs,
    },
    warmup_requests: plan.warmupRequests,
    client: {host: hostname(), cpus: availableParallelism(), node_version: process.version},
    server: {
      version,
      max_model_len: target.maxModelLen,
      is_embedded: engine !== null,
      pid: engine?.pid ?? null,
      segment: engine?.segment ?? null,
    },
    ...notes,
  }
}

function describePrompt({prompt}: RequestShape): string {
  return prompt.kind === 'fixed' ? prompt.text : `synthetic, ${prompt.tokens} tokens`
}
