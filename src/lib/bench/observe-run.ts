import {createTicker, type Clock, type Logger} from '../foundation/index.js'
import type {GpuSampler} from '../gpu/index.js'
import type {HttpClient} from '../http/index.js'
import {
  addHistograms,
  engineExtrasOf,
  engineFiguresOf,
  engineHistogramsOf,
  fetchMetricsText,
  kvPageOf,
  type EmbeddedEngine,
} from '../inference/index.js'
import {readProcessUse} from '../processes/index.js'
import type {TimeSample, TimeSeriesWriter} from '../runs/index.js'
import type {SegmentStore} from '../segments/index.js'
import type {BenchWatcher} from './bench-watcher.js'
import {engineJson, gpuSamples, togetherOf} from './look-json.js'
import {findServerParts, type ServerParts} from './server-parts.js'

/** A limit changes and is obeyed within a few hundred milliseconds; a look at 24 bytes costs nothing worth saving. */
const SEGMENT_EVERY_MS = 250
const SERVER_EVERY_MS = 500
const GPUS_EVERY_MS = 1000
/** Histograms are wanted at the edges of the window, and are long. */
const HISTOGRAMS_EVERY = 20
/** A server without such a page answers 404 at once, and is not asked for ever. */
const LOOKS_WITHOUT_METRICS = 3
/** One that is to wake first is given five minutes. */
const LOOKS_AT_SLEEPERS = 600

export interface ObservedServer {
  readonly http: HttpClient
  readonly clock: Clock
  /** Each serves a part of the load; what they count is summed. */
  readonly baseUrls: readonly string[]
  /** Our own engine, whose process and segment are known. */
  readonly engine: EmbeddedEngine | null
  readonly segments: SegmentStore | null
  /** Nothing is to wake them before the first request. */
  readonly isAsleep?: boolean
  /** Starts looking at GPUs; null where they are not wanted. */
  readonly gpus: (() => Promise<GpuSampler>) | null
}

/** A run that is looked at. */
export interface Observation {
  /** Settles when the first look is taken, whether or not there was anything to see. */
  readonly first: Promise<void>
  /** Settles when the last look is written. */
  readonly end: Promise<void>
}

/**
 * Looks at the servers twice a second, and at their segments more often, until `signal` is aborted, and writes each look to the
 * time series: their own metrics, segments, processes, GPUs. The first look is taken at once, before anything is sent, so that
 * counters are known from the start. What cannot be looked at is left out; nothing here may end a run.
 *
 * @param runMsAt turns an instant of `clock` into milliseconds of run time, once the run's origin is known
 */
export function observeRun(
  server: ObservedServer,
  writer: TimeSeriesWriter,
  runMsAt: Promise<(nowNs: number) => number>,
  observer: BenchWatcher,
  logger: Logger,
  signal: AbortSignal,
): Observation {
  const failed = (error: unknown): void => logger.debug(`could not look at the server: ${String(error)}`)
  const metrics = createMetricsLook(server, observer)
  const stamped = async (look: () => Promise<Seen>): Promise<Stamped> => {
    const fromNs = server.clock.nowNs()
    const seen = await look()
    return {fromNs, toNs: server.clock.nowNs(), seen}
  }
  const write = async ({fromNs, toNs, seen}: Stamped): Promise<void> => {
    if (Object.keys(seen).length === 0) return
    const at = await runMsAt
    const sample = {at_ms: micros(at(fromNs)), took_ms: micros((toNs - fromNs) / 1e6), ...seen}
    observer.looked?.(sample)
    await writer.append(sample)
  }
  const before = server.isAsleep
    ? Promise.resolve()
    : stamped(async () => engineOf(await metrics(true))).catch(failed)
  const follow = async (): Promise<void> => {
    const parts = await findServerParts(server.baseUrls, server.engine, server.segments)
    const look = createServerLook(server, parts, metrics)
    const sampler = parts.isLocal ? ((await server.gpus?.().catch(() => null)) ?? null) : null
    const lookAtSampler = (one: GpuSampler, until?: AbortSignal): Promise<Stamped> =>
      stamped(() => lookAtGpus(one, parts, until))
    try {
      const earlier = await before
      if (!(await isStarted(runMsAt, signal))) return
      if (earlier) await write(earlier).catch(failed)
      await Promise.all([
        everyTick(() => stamped(() => look(false)), look.everyMs, write, failed, signal),
        sampler && everyTick(() => lookAtSampler(sampler), GPUS_EVERY_MS, write, failed, signal),
      ])
      // What counters say at the end is what came after the last look of every second.
      await stamped(() => look(true))
        .then(write)
        .catch(failed)
      if (sampler) await lookAtSampler(sampler, AbortSignal.timeout(GPUS_EVERY_MS)).then(write).catch(failed)
    } finally {
      sampler?.close()
    }
  }
  return {first: before.then(() => undefined), end: follow().catch(failed)}
}

type Seen = Omit<TimeSample, 'at_ms' | 'took_ms'>

interface Stamped {
  readonly fromNs: number
  readonly toNs: number
  readonly seen: Seen
}

/** False when the run was over before it began. */
function isStarted(origin: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  return new Promise(resolve => {
    void origin.then(() => resolve(true))
    if (signal.aborted) resolve(false)
    else signal.addEventListener('abort', () => resolve(false), {once: true})
  })
}

function createServerLook(
  server: ObservedServer,
  parts: ServerParts,
  metrics: MetricsLook,
): ((isLast: boolean) => Promise<Seen>) & {readonly everyMs: number} {
  const everyMs = parts.segments.length === 0 ? SERVER_EVERY_MS : SEGMENT_EVERY_MS
  let looks = 0
  const look = async (isLast: boolean): Promise<Seen> => {
    const isWhole = isLast || looks++ % (SERVER_EVERY_MS / everyMs) === 0
    const [engine, use, segments] = await Promise.all([
      isWhole ? metrics(isLast) : null,
      isWhole ? useOf(parts) : null,
      segmentsJson(server.segments, parts),
    ])
    return {...engineOf(engine), ...(segments.length > 0 && {segments}), ...(use && {process: use})}
  }
  return Object.assign(look, {everyMs})
}

function engineOf(engine: TimeSample['engine'] | null): Seen {
  return engine ? {engine} : {}
}

/** @returns settles when `signal` is aborted and the last look handed over */
function everyTick(
  look: () => Promise<Stamped>,
  everyMs: number,
  write: (look: Stamped) => Promise<void>,
  failed: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  let pending: Promise<void> = Promise.resolve()
  return new Promise(resolve => {
    signal.addEventListener('abort', () => void pending.then(resolve, resolve), {once: true})
    createTicker(look, everyMs, failed).subscribe(sample => (pending = write(sample)), signal)
  })
}

type MetricsLook = (isFull: boolean) => Promise<TimeSample['engine'] | null>

/** The metrics pages of all servers as one; a sum that lacks a server would fall and rise with it, so then there is none. */
function createMetricsLook(
  {http, baseUrls, isAsleep = false}: ObservedServer,
  observer: BenchWatcher,
): MetricsLook {
  const mostMisses = isAsleep ? LOOKS_AT_SLEEPERS : LOOKS_WITHOUT_METRICS
  let [looks, misses] = [0, 0]
  let hasAny = false
  return async isForced => {
    if (!hasAny && misses >= mostMisses) return null
    const texts = await Promise.all(baseUrls.map(baseUrl => fetchMetricsText(http, baseUrl)))
    const known = texts.filter(text => text !== null)
    const figures = known.flatMap(text => {
      const own = engineFiguresOf(text)
      return own === null ? [] : [{...own, ...engineExtrasOf(text)}]
    })
    if (figures.length === 0 || figures.length < baseUrls.length) {
      if (++misses === mostMisses && !hasAny) {
        observer.note(
          `${baseUrls.join(', ')} shows no metrics of an engine: what the server itself counts stays unknown.`,
        )
      }
      return null
    }
    hasAny = true
    const isFull = isForced || looks++ % HISTOGRAMS_EVERY === 0
    const histograms = isFull ? known.flatMap(text => engineHistogramsOf(text) ?? []) : []
    const asleep = known.map(text => kvPageOf(text)?.isAsleep ?? null)
    return engineJson(
      togetherOf(figures),
      asleep.includes(null) ? null : asleep.some(one => one === true),
      histograms.length < baseUrls.length ? null : addHistograms(histograms),
    )
  }
}

async function useOf({pids}: ServerParts): Promise<TimeSample['process'] | null> {
  const uses = (await Promise.all(pids.map(readProcessUse))).filter(use => use !== null)
  if (uses.length === 0) return null
  return {
    cpu_seconds: micros(uses.reduce((sum, use) => sum + use.cpuSeconds, 0)),
    rss_bytes: uses.reduce((sum, use) => sum + use.rssBytes, 0),
  }
}

async function segmentsJson(
  store: SegmentStore | null,
  {segments}: ServerParts,
): Promise<NonNullable<TimeSample['segments']>> {
  if (store === null) return []
  const looks = await Promise.all(segments.map(name => store.read(name).catch(() => null)))
  return looks.flatMap(look =>
    look
      ? [
          {
            name: look.name,
            limit_bytes: Number(look.record.limitBytes),
            used_bytes: Number(look.record.usedBytes),
            prealloc_bytes: Number(look.record.preallocBytes),
          },
        ]
      : [],
  )
}

async function lookAtGpus(sampler: GpuSampler, {pids}: ServerParts, signal?: AbortSignal): Promise<Seen> {
  const {gpus} = await sampler.look(signal)
  return gpus.length === 0 ? {} : {gpus: gpuSamples(gpus, pids)}
}

function micros(value: number): number {
  return Math.round(value * 1000) / 1000
}
