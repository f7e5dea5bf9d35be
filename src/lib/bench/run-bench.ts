import {ConfigurationError, ResourceError, type Clock, type Logger} from '../foundation/index.js'
import type {GpuSampler} from '../gpu/index.js'
import type {HttpClient} from '../http/index.js'
import type {EmbeddedEngine, InferenceTarget} from '../inference/index.js'
import type {RunDirectory, RunMeta} from '../runs/index.js'
import type {SegmentStore} from '../segments/index.js'
import type {TokenCounter} from '../tokens/index.js'
import type {BenchAsk} from './bench-ask.js'
import type {BenchWatcher} from './bench-watcher.js'
import type {BenchPlan} from './bench-plan.js'
import {loadJobs} from './load-jobs.js'
import type {Calibration} from './calibrate.js'
import type {MetaInput, ServerFacts} from './describe-run.js'
import type {KnownServerProcess} from './known-server.js'
import {longestPrompt} from './prompt-lengths.js'
import {createPromptWriter, NO_FIT, wordsForTokens, type TokenFit} from './prompts.js'
import type {ResumePoint} from './resume-point.js'
import {runLoad, type LoadEnd, type LoadProcess} from './run-load.js'
import type {RunRecording} from './run-recording.js'
import {requestsIn, wholeList, type SendList} from './send-list.js'

/** What a run needs of the world. */
export interface BenchParts {
  readonly http: HttpClient
  readonly clock: Clock
  readonly logger: Logger
  /** null where segments cannot be read. */
  readonly segments: SegmentStore | null
  /** Starts looking at this machine's GPUs; null where nobody shall. */
  readonly gpus: (() => Promise<GpuSampler>) | null
  startLoadProcess(): LoadProcess
  startKnownServer(): KnownServerProcess
  /** @param args for `kvctl engine`, as the profile asks */
  startEngine(args: readonly string[], signal: AbortSignal): Promise<EmbeddedEngine>
  createRunDirectory(): Promise<RunDirectory>
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
  if (ask.resume !== null && requestsIn(ask.resume.list) === 0) return finish(ask.resume, watcher)
  const engine = ask.urls.length === 0 ? await startEngine(ask, parts, watcher, signal) : null
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
  {notes}: BenchAsk,
  parts: BenchParts,
  watcher: BenchWatcher,
  signal: AbortSignal,
): Promise<EmbeddedEngine> {
  const engine = await parts.startEngine(await engineArgs(notes.profile), signal)
  const segment = engine.segment === null ? '' : `, segment ${engine.segment}`
  watcher.note(`No --url given: measuring kvctl's own engine at ${engine.url} (pid ${engine.pid}${segment}).`)
  return engine
}

/** The resolved profile of a new run, or what `meta.json` kept of it. */
async function engineArgs(profile: BenchAsk['notes']['profile']): Promise<string[]> {
  // A load process reads no profile.
  const {ownEngineArgs, profileSchema} = await import('../profiles/index.js')
  const features = profileSchema.shape.vllm_features.safeParse(profile?.['vllm_features'] ?? {})
  return features.success ? ownEngineArgs(features.data) : []
}

async function measure(
  ask: BenchAsk,
  engine: EmbeddedEngine | null,
  parts: BenchParts,
  watcher: BenchWatcher,
  signal: AbortSignal,
): Promise<BenchOutcome> {
  const {http} = parts
  const {plan} = ask
  const {fetchVersion} = await import('../inference/index.js')
  const {startRecording} = await import('./run-recording.js')
  const tokenizer = await tokenizerOf(plan)
  const targets = await findTargets(ask, engine, http, signal)
  const target = targets[0]!
  const isAsleep = ask.asleep !== undefined
  const known = ask.resume?.meta.server?.version ?? null
  const version = isAsleep ? known : await fetchVersion(http, target.baseUrl, signal)
  const facts = {targets, engine, version}
  const {run, meta, fit} = await (ask.resume === null
    ? newRun(ask, facts, parts, tokenizer, signal, watcher)
    : resumedRun(ask.resume, facts, watcher))
  const server = {...parts, baseUrls: targets.map(({baseUrl}) => baseUrl), engine, isAsleep}
  const list = ask.resume?.list ?? wholeList(plan)
  const jobs = loadJobs(ask, {targets, runId: run.runId, fit, list})
  const recording = await startRecording(
    run,
    plan,
    {...meta, ...describeLoad(ask, jobs.length)},
    ask.resume,
    server,
    watcher,
    tenantsOf(plan),
    tokenizer && (await import('./count-answers.js')).createAnswerCounter(tokenizer),
  )
  watcher.note(`${describePlan(plan, list, jobs.length)} → ${run.path}`)
  watcher.starting?.({model: target.model, urls: server.baseUrls, run})
  let end: LoadEnd | null = null
  let calibration: Calibration | null = null
  try {
    const processes = jobs.map(() => parts.startLoadProcess())
    end = await runLoad(processes, jobs, recording, signal)
    if (ask.isCalibrated && !end.wasStopped)
      calibration = await calibrated(ask, recording, parts, watcher, signal)
    return {run, url: target.baseUrl, wasStopped: end.wasStopped, outcomes: recording.outcomes}
  } catch (error) {
    if (error instanceof ResourceError && error.code === 'DISK_FULL') {
      watcher.note(
        `What was written stays in ${run.path}; with space to write, --resume --run-dir finishes it.`,
      )
    }
    throw error
  } finally {
    await recording.close(end, calibration)
  }
}

/** The instrument's own error, found at the load that was just measured; null when nothing of it was. */
async function calibrated(
  ask: BenchAsk,
  recording: RunRecording,
  parts: BenchParts,
  watcher: BenchWatcher,
  signal: AbortSignal,
): Promise<Calibration | null> {
  const {calibrate, shapeOf} = await import('./calibrate.js')
  const shape = shapeOf(recording.sample, ask.plan)
  if (shape === null) return null
  watcher.note(`Calibrating: ${shape.streams} streams against a server whose times are known.`)
  return calibrate(ask, shape, parts, signal)
}

/** Loads what the plan counts with, before anything else is done. */
async function tokenizerOf({request}: BenchPlan): Promise<TokenCounter | null> {
  if (request.tokenizer === null) return null
  const {reopenTokenizer} = await import('../tokens/index.js')
  return reopenTokenizer(request.tokenizer)
}

/** Every server must serve the one model. */
async function findTargets(
  {urls, model, apiKey, asleep}: BenchAsk,
  engine: EmbeddedEngine | null,
  http: HttpClient,
  signal: AbortSignal,
): Promise<readonly InferenceTarget[]> {
  const {findTarget} = await import('../inference/index.js')
  if (asleep !== undefined && model !== null)
    return urls.map(url => ({
      baseUrl: url.replace(/\/+$/, ''),
      apiPath: asleep.apiPath,
      model,
      maxModelLen: null,
    }))
  const targets: InferenceTarget[] = []
  for (const url of engine === null ? urls : [engine.url]) {
    const wanted = targets[0]?.model ?? model
    targets.push(await findTarget(http, {url, model: wanted, apiKey, signal}))
  }
  return targets
}

/** A run about to be sent. */
interface ReadyRun {
  readonly run: RunDirectory
  readonly meta: MetaInput
  readonly fit: TokenFit
}

async function newRun(
  ask: BenchAsk,
  facts: ServerFacts,
  parts: BenchParts,
  tokenizer: TokenCounter | null,
  signal: AbortSignal,
  watcher: BenchWatcher,
): Promise<ReadyRun> {
  const warnings: RunMeta['warnings'] = []
  const fit = await fitPrompts(ask, facts.targets[0]!, parts.http, tokenizer, signal, warnings)
  if (ask.resetsCache && ask.asleep === undefined)
    warnings.push(...(await resetCaches(ask, facts, parts.http, signal)))
  for (const {message} of warnings) watcher.note(message)
  const run = await parts.createRunDirectory()
  const {describeRun} = await import('./describe-run.js')
  const meta = await describeRun(ask, {...facts, run, fit})
  return {run, meta: {...meta, warnings}, fit}
}

/** Prompts of earlier runs must not be known to a server that is to be measured without them. */
async function resetCaches(
  {apiKey}: BenchAsk,
  {targets}: ServerFacts,
  http: HttpClient,
  signal: AbortSignal,
): Promise<RunMeta['warnings']> {
  const {resetPrefixCache} = await import('../inference/index.js')
  const warnings: RunMeta['warnings'] = []
  for (const {baseUrl} of targets) {
    if (await resetPrefixCache(http, baseUrl, apiKey, signal)) continue
    const message = `${baseUrl} has no way to reset its prefix cache (--reset-cache): what it holds of earlier runs stays`
    warnings.push({code: 'cache_not_reset', message})
  }
  return warnings
}

async function resumedRun(
  {run, meta, fit, sentAgain, list}: ResumePoint,
  facts: ServerFacts,
  watcher: BenchWatcher,
): Promise<ReadyRun> {
  const warnings = [...meta.warnings]
  const before = meta.server?.version ?? null
  if (before !== facts.version) {
    const message = `the server's version was ${before ?? 'unknown'} and is ${facts.version ?? 'unknown'} now`
    warnings.push({code: 'server_changed', message})
    watcher.note(message)
  }
  const again = sentAgain === 0 ? '' : `, at least ${sentAgain} of them for the second time`
  watcher.note(`Resuming ${run.path}: ${requestsIn(list)} requests are missing${again}.`)
  const {describeClient, describeServer} = await import('./describe-run.js')
  return {
    run,
    meta: {...meta, warnings, server: describeServer(facts), client: await describeClient()},
    fit,
  }
}

/** So many are counted with a tokenizer of ours to find how long words are: some tenths of a second. */
const COUNTED_TOKENS = 20_000

/** @returns how many words make the wanted tokens; adds a warning when that is a guess */
async function fitPrompts(
  {plan, apiKey, asleep}: BenchAsk,
  target: InferenceTarget,
  http: HttpClient,
  tokenizer: TokenCounter | null,
  signal: AbortSignal,
  warnings: RunMeta['warnings'],
): Promise<TokenFit> {
  const {api, maxTokens} = plan.request
  const longest = longestPrompt(plan)
  if (longest === null) return NO_FIT
  const {maxModelLen} = target
  const together = longest.promptTokens + (longest.maxTokens ?? maxTokens)
  if (maxModelLen !== null && together > maxModelLen) {
    throw new ConfigurationError(
      'PROMPT_TOO_LONG',
      `${longest.promptTokens} prompt tokens and ${longest.maxTokens ?? maxTokens} answer tokens exceed the ${maxModelLen} that ${target.model} takes`,
      {suggestions: ['lengths of prompts and answers that fit together']},
    )
  }
  const {countPromptTokens} = await import('../inference/index.js')
  const writer = createPromptWriter(plan.promptSeed)
  const {fit, isEstimated} = await wordsForTokens(longest.typicalTokens, writer, async text => {
    if (asleep !== undefined) return null
    const shape = api === 'chat' ? {messages: [{role: 'user', content: text}]} : {prompt: text}
    return countPromptTokens(http, target, apiKey, shape, signal)
  })
  if (isEstimated && tokenizer !== null) {
    const {count, choice} = tokenizer
    warnings.push({
      code: 'prompt_length_by_tokenizer',
      message: `the server does not say how long a prompt is in tokens; prompts have their length by ${choice.name}, what a chat template adds left out`,
    })
    const tokens = longest.typicalTokens
    const samples = Math.max(1, Math.min(32, Math.floor(COUNTED_TOKENS / tokens)))
    return (await wordsForTokens(tokens, writer, async text => count(text), samples)).fit
  }
  if (isEstimated) {
    warnings.push({
      code: 'prompt_length_estimated',
      message:
        'the server does not say how long a prompt is in tokens; prompts have 1 word for every 1.3 tokens asked',
    })
  }
  return fit
}

/** How the load was made; nothing of it changes what is sent when. */
function describeLoad({transport}: BenchAsk, workers: number): Partial<RunMeta> {
  return {workers, transport}
}

/** On whose behalf each request of a workload is sent; null where it says of none. */
function tenantsOf({workload, warmupRequests}: BenchPlan): ((id: number) => string | null) | null {
  if (workload?.items.some(({tenant}) => tenant != null) !== true) return null
  return id => workload.items[id - warmupRequests - 1]?.tenant ?? null
}

function describePlan(plan: BenchPlan, list: SendList, workers: number): string {
  const {ids, warmups, timesMs} = list
  const how =
    timesMs === null
      ? `${plan.concurrency} at a time`
      : `${plan.pattern} arrivals at ${plan.ratePerSecond?.toFixed(1) ?? '∞'}/s for ${((timesMs.at(-1) ?? 0) / 1000).toFixed(1)} s`
  const warmup = warmups > 0 ? `${warmups} warm-up and ` : ''
  const from = workers === 1 ? '' : ` from ${workers} processes`
  const sessions = plan.sessions === null ? '' : ` in ${ids.length - warmups} sessions`
  return `Sending ${warmup}${requestsIn(list) - warmups} requests${sessions}, ${how}${from}`
}
