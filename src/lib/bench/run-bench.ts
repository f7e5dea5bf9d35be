import {ConfigurationError, type Clock, type Logger} from '../foundation/index.js'
import type {HttpClient} from '../http/index.js'
import type {EmbeddedEngine, InferenceTarget} from '../inference/index.js'
import type {RunDirectory, RunMeta} from '../runs/index.js'
import type {SegmentStore} from '../segments/index.js'
import type {BenchAsk} from './bench-ask.js'
import type {BenchPlan} from './bench-plan.js'
import type {MetaInput} from './describe-run.js'
import type {LoadCounts} from './load-loop.js'
import type {TransportTarget} from './load-transport.js'
import {createPromptWriter, wordsForTokens} from './prompts.js'
import type {LoadJob} from './load-worker.js'
import type {ResumePoint} from './resume-point.js'
import {runLoad, type LoadEnd, type LoadProcess} from './run-load.js'
import {wholeList, type SendList} from './send-list.js'

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

/** Who watches a run. */
export interface BenchWatcher {
  /** Something the user should know, once. */
  note(line: string): void
  progress(counts: LoadCounts): void
}

export interface BenchOutcome {
  readonly run: RunDirectory
  readonly url: string
  /** Cut short by `signal`; the directory holds what was measured. */
  readonly wasStopped: boolean
  /** How many measured requests ended in each way, those of earlier parts included. */
  readonly outcomes: ReadonlyMap<string, number>
}

/**
 * Measures one server, or finishes an unfinished run, and leaves a run directory with records, time series and `meta.json`. Starts the embedded engine when
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
  if (ask.resume?.list.ids.length === 0) return finish(ask.resume, watcher)
  const engine = ask.url === null ? await startEngine(parts, watcher, signal) : null
  try {
    return await measure(ask, engine, parts, watcher, signal)
  } finally {
    await engine?.stop()
  }
}

/** A run whose last record was written before it could say so needs no server. */
async function finish(point: ResumePoint, watcher: BenchWatcher): Promise<BenchOutcome> {
  const {finishRecording} = await import('./run-recording.js')
  watcher.note(`Resuming ${point.run.path}: no request is missing.`)
  await finishRecording(point)
  return {run: point.run, url: point.meta.url ?? '', wasStopped: false, outcomes: point.outcomes}
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
  const {run, meta, promptWords} = await (ask.resume === null
    ? newRun(ask, target, engine, version, parts, signal, watcher)
    : resumedRun(ask.resume, target, engine, version, watcher))
  const server = {...parts, baseUrl: target.baseUrl, engine}
  const recording = await startRecording(run, meta, ask.resume, server, watcher)
  const list = ask.resume?.list ?? wholeList(plan)
  watcher.note(`${describePlan(plan, list)} → ${run.path}`)
  let end: LoadEnd | null = null
  try {
    const job = jobOf(ask, target, run, promptWords, list)
    end = await runLoad(parts.startLoadProcess(), job, recording, signal)
    return {run, url: target.baseUrl, wasStopped: end.wasStopped, outcomes: recording.outcomes}
  } finally {
    await recording.close(end)
  }
}

/** A run about to be sent. */
interface ReadyRun {
  readonly run: RunDirectory
  readonly meta: MetaInput
  readonly promptWords: number
}

async function newRun(
  ask: BenchAsk,
  target: InferenceTarget,
  engine: EmbeddedEngine | null,
  version: string | null,
  parts: BenchParts,
  signal: AbortSignal,
  watcher: BenchWatcher,
): Promise<ReadyRun> {
  const warnings: RunMeta['warnings'] = []
  const promptWords = await fitPrompts(ask, target, parts.http, signal, warnings)
  for (const {message} of warnings) watcher.note(message)
  const run = await parts.createRunDirectory()
  const {describeRun} = await import('./describe-run.js')
  const meta = await describeRun(ask, {target, engine, version, run, promptWords})
  return {run, meta: {...meta, warnings}, promptWords}
}

async function resumedRun(
  {run, meta, promptWords, sentAgain, list}: ResumePoint,
  target: InferenceTarget,
  engine: EmbeddedEngine | null,
  version: string | null,
  watcher: BenchWatcher,
): Promise<ReadyRun> {
  const warnings = [...meta.warnings]
  const before = meta.server?.version ?? null
  if (before !== version) {
    const message = `the server's version was ${before ?? 'unknown'} and is ${version ?? 'unknown'} now`
    warnings.push({code: 'server_changed', message})
    watcher.note(message)
  }
  const again = sentAgain === 0 ? '' : `, at least ${sentAgain} of them for the second time`
  watcher.note(`Resuming ${run.path}: ${list.ids.length} requests are missing${again}.`)
  const {describeClient, describeServer} = await import('./describe-run.js')
  const server = describeServer({target, engine, version})
  return {run, meta: {...meta, warnings, server, client: await describeClient()}, promptWords}
}

function jobOf(
  ask: BenchAsk,
  target: InferenceTarget,
  run: RunDirectory,
  promptWords: number,
  list: SendList,
): LoadJob {
  const {plan, isInsecure, apiKey} = ask
  const {path, ...address} = addressOf(target.baseUrl)
  return {
    plan,
    list,
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

function describePlan(plan: BenchPlan, {ids, warmups, timesMs}: SendList): string {
  const how =
    timesMs === null
      ? `${plan.concurrency} at a time`
      : `${plan.pattern} arrivals at ${plan.ratePerSecond!.toFixed(1)}/s for ${((timesMs.at(-1) ?? 0) / 1000).toFixed(1)} s`
  const warmup = warmups > 0 ? `${warmups} warm-up and ` : ''
  return `Sending ${warmup}${ids.length - warmups} requests, ${how}`
}
