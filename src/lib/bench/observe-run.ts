import {createTicker, type Logger} from '../foundation/index.js'
import type {HttpClient} from '../http/index.js'
import {
  engineFiguresOf,
  fetchMetricsText,
  type EmbeddedEngine,
  type EngineFigures,
} from '../inference/index.js'
import {readProcessUse} from '../processes/index.js'
import type {TimeSample, TimeSeriesWriter} from '../runs/index.js'
import type {SegmentStore} from '../segments/index.js'

/** A limit changes and is obeyed within a few hundred milliseconds; a look at 24 bytes costs nothing worth saving. */
const SEGMENT_EVERY_MS = 200
const SERVER_EVERY_MS = 1000

export interface ObservedServer {
  readonly http: HttpClient
  /** Each serves a part of the load; what they count is summed. */
  readonly baseUrls: readonly string[]
  /** Our own engine, whose segment and process are looked at too. */
  readonly engine: EmbeddedEngine | null
  readonly segments: SegmentStore | null
}

/**
 * Looks at the server once a second, and at its segment more often, until `signal` is aborted, and writes each look to the
 * time series: its own metrics, its segment, its process. What cannot be looked at is left out; nothing here may end a run.
 *
 * @param runMs milliseconds since the run's origin
 * @returns settles when the last look is written
 */
export function observeRun(
  server: ObservedServer,
  writer: TimeSeriesWriter,
  runMs: () => number,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  let pending: Promise<void> = Promise.resolve()
  const everyMs = segmentOf(server) === null ? SERVER_EVERY_MS : SEGMENT_EVERY_MS
  let looks = 0
  const ticker = createTicker(
    () => lookAt(server, runMs, looks++ % (SERVER_EVERY_MS / everyMs) === 0),
    everyMs,
    error => logger.debug(`could not look at the server: ${String(error)}`),
  )
  return new Promise(resolve => {
    signal.addEventListener('abort', () => void pending.then(resolve, resolve), {once: true})
    ticker.subscribe(look => (pending = writer.append(look)), signal)
  })
}

function segmentOf({segments, engine}: ObservedServer): string | null {
  return segments === null ? null : (engine?.segment ?? null)
}

async function lookAt(
  server: ObservedServer,
  runMs: () => number,
  isWholeServer: boolean,
): Promise<TimeSample> {
  const {http, baseUrls, engine, segments} = server
  const name = segmentOf(server)
  const [texts, use, segment] = await Promise.all([
    isWholeServer ? Promise.all(baseUrls.map(baseUrl => fetchMetricsText(http, baseUrl))) : [],
    isWholeServer && engine !== null ? readProcessUse(engine.pid) : null,
    name === null ? null : segments!.read(name).catch(() => null),
  ])
  const looks = texts.flatMap(text => (text === null ? [] : (engineFiguresOf(text) ?? [])))
  // A sum that lacks a server would fall and rise with it.
  const figures = looks.length > 0 && looks.length === baseUrls.length ? togetherOf(looks) : null
  return {
    at_ms: Math.round(runMs() * 1000) / 1000,
    ...(figures && {engine: engineJson(figures)}),
    ...(segment && {
      segments: [
        {
          name: segment.name,
          limit_bytes: Number(segment.record.limitBytes),
          used_bytes: Number(segment.record.usedBytes),
          prealloc_bytes: Number(segment.record.preallocBytes),
        },
      ],
    }),
    ...(use && {process: {cpu_seconds: use.cpuSeconds, rss_bytes: use.rssBytes}}),
  }
}

function engineJson(figures: EngineFigures): NonNullable<TimeSample['engine']> {
  return {
    running: figures.running,
    waiting: figures.waiting,
    kv_cache_usage: figures.kvCacheUsage,
    preemptions_total: figures.preemptions,
    prompt_tokens_total: figures.promptTokens,
    generation_tokens_total: figures.generationTokens,
    prefix_cache_queries_total: figures.prefixCacheQueries,
    prefix_cache_hits_total: figures.prefixCacheHits,
  }
}

/** Several servers as one: counts and counters added up, the share of the KV cache as their mean. */
function togetherOf(looks: readonly EngineFigures[]): EngineFigures {
  const sum = (figure: (look: EngineFigures) => number | null): number | null =>
    looks.some(look => figure(look) === null) ? null : looks.reduce((total, look) => total + figure(look)!, 0)
  const usage = sum(look => look.kvCacheUsage)
  return {
    running: sum(look => look.running),
    waiting: sum(look => look.waiting),
    kvCacheUsage: usage === null ? null : usage / looks.length,
    preemptions: sum(look => look.preemptions),
    promptTokens: sum(look => look.promptTokens),
    generationTokens: sum(look => look.generationTokens),
    prefixCacheQueries: sum(look => look.prefixCacheQueries),
    prefixCacheHits: sum(look => look.prefixCacheHits),
    firstTokens: sum(look => look.firstTokens),
    firstTokenSeconds: sum(look => look.firstTokenSeconds),
  }
}
