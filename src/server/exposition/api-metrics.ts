import {Counter, Gauge, Registry} from 'prom-client'
import type {Logger} from '../../lib/foundation/index.js'
import type {GpuSampler} from '../../lib/gpu/index.js'
import {lookAtSegments, type OwnedLook, type SegmentStore} from '../../lib/segments/index.js'
import type {BenchJobs} from '../../lib/jobs/index.js'
import type {Router, RouterObserver} from '../../lib/router/index.js'
import type {CacheFigures} from '../../lib/tiers/index.js'
import type {MachineFeed} from '../machine-feed.js'
import type {Traffic} from '../traffic.js'
import {benchSeries} from './bench-series.js'
import {cacheSeries} from './cache-series.js'
import {dcgmSeries} from './dcgm-series.js'
import {enginesSeries} from './engines-series.js'
import {gpuSeries} from './gpu-series.js'
import {processSeries} from './process-series.js'
import {readCounter, readGauge} from './read-series.js'
import {routerSeries} from './router-series.js'

export interface ApiMetrics {
  /** Looks at segments, GPUs and engines and gives the page, in text format 0.0.4. */
  page(): Promise<string>
  readonly contentType: string
  /** Zeroes what the cache counted. */
  resetCache(): void
  /** One HTTP exchange is over. */
  exchanged(method: string, route: string, status: number): void
  /** Counts what the router does. */
  readonly router: RouterObserver
}

export interface ApiMetricsOptions {
  readonly segments: SegmentStore
  readonly cacheFigures: CacheFigures | null
  readonly router: Router
  readonly jobs: BenchJobs | null
  readonly feed: MachineFeed
  readonly sampler: Pick<GpuSampler, 'rounds'>
  readonly version: string
  readonly traffic: Traffic
  /** Also under the names of NVIDIA's exporter. */
  readonly hasDcgmNames: boolean
  readonly logger: Logger
}

/** A scrape gives up sooner than Prometheus does, which waits 10 s unless told otherwise. */
const PATIENCE_MS = 2000

/** The `/metrics` page of `kvctl serve`; docs/api.md lists every name. */
export function createApiMetrics(options: ApiMetricsOptions): ApiMetrics {
  const {segments, cacheFigures, router, jobs, feed, sampler, version, traffic, hasDcgmNames, logger} =
    options
  const registry = new Registry()
  const registers = [registry]
  new Gauge({
    name: 'kvctl_build_info',
    help: 'Always 1; the versions of kvctl and Node.js as labels.',
    labelNames: ['version', 'node_version'],
    registers,
  }).set({version, node_version: process.versions.node}, 1)
  const showSegments = segmentSeries(registers)
  const isReadable = new Gauge({
    name: 'kvctl_segments_readable',
    help: 'Whether the folder of segments could be read: 1 or 0.',
    registers,
  })
  const exchanges = new Counter({
    name: 'kvctl_http_requests_total',
    help: 'HTTP requests answered.',
    labelNames: ['method', 'route', 'status'],
    registers,
  })
  readGauge(registers, 'kvctl_http_streams', 'Event streams being sent.', () => traffic.streams)
  readCounter(
    registers,
    'kvctl_gpu_looks_total',
    'Rounds of questions that the NVIDIA driver was asked.',
    () => sampler.rounds(),
  )
  const shown = [
    gpuSeries(registers),
    enginesSeries(registers),
    ...(hasDcgmNames ? [dcgmSeries(registers)] : []),
    ...(jobs === null ? [] : [benchSeries(registers, jobs, version)]),
  ]
  processSeries(registers)
  const cache = cacheFigures === null ? null : cacheSeries(registers, cacheFigures)
  const routerObserver = routerSeries(registers, router)
  return {
    router: routerObserver,
    contentType: registry.contentType,
    resetCache: () => cache?.reset(),
    exchanged: (method, route, status) => exchanges.inc({method, route, status}),
    async page() {
      const {look} = await feed.look(PATIENCE_MS)
      for (const show of shown) show(look)
      try {
        showSegments((await lookAtSegments(segments, [])).looks)
        isReadable.set(1)
      } catch (error) {
        logger.warn(`/metrics without segments: ${error instanceof Error ? error.message : String(error)}`)
        showSegments([])
        isReadable.set(0)
      }
      return registry.metrics()
    },
  }
}

/** @returns puts what was seen in place of what was there; a segment that is gone leaves no series */
function segmentSeries(registers: Registry[]): (looks: readonly OwnedLook[]) => void {
  const bytes = (what: string, help: string): Gauge =>
    new Gauge({name: `kvctl_segment_${what}_bytes`, help, labelNames: ['segment'], registers})
  const limit = bytes('limit', 'The limit that the engine obeys.')
  const used = bytes('used', 'KV-cache memory in use.')
  const prealloc = bytes('prealloc', 'KV-cache memory mapped ahead of need.')
  const startup = bytes('startup', 'The first total seen; absent when unknown.')
  const state = new Gauge({
    name: 'kvctl_segment_info',
    help: 'Always 1; who is behind a segment: live, idle, stale, foreign or unknown.',
    labelNames: ['segment', 'state', 'pid'],
    registers,
  })
  return looks => {
    for (const gauge of [limit, used, prealloc, startup, state]) gauge.reset()
    for (const {
      name: segment,
      record,
      startupBytes,
      state: {verdict, pid},
    } of looks) {
      limit.set({segment}, Number(record.limitBytes))
      used.set({segment}, Number(record.usedBytes))
      prealloc.set({segment}, Number(record.preallocBytes))
      if (startupBytes !== null) startup.set({segment}, Number(startupBytes))
      state.set({segment, state: verdict, pid: pid === null ? '' : String(pid)}, 1)
    }
  }
}
