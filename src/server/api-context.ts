import {stringifyExact, type Clock, type Logger} from '../lib/foundation/index.js'
import type {BenchJobs} from '../lib/jobs/index.js'
import type {GpuSampler} from '../lib/gpu/index.js'
import type {Machine} from '../lib/machine/index.js'
import type {Router} from '../lib/router/index.js'
import {segmentJson, watchSegments, type SegmentsLook, type SegmentStore} from '../lib/segments/index.js'
import type {CacheFigures, CacheWorker} from '../lib/tiers/index.js'
import {createBroadcast, type Broadcast} from './broadcast.js'
import {createApiMetrics, type ApiMetrics} from './exposition/api-metrics.js'
import {createMachineFeed, type MachineFeed} from './machine-feed.js'
import {createTraffic, type Traffic, type TrafficLimits} from './traffic.js'
import {createVramStreams, type VramStreams} from './vram-streams.js'

/** What the listeners of one server share, however many there are. */
export interface ApiContext {
  readonly segments: SegmentStore
  /** Null where the cache family is not served. */
  readonly cache: CacheWorker | null
  readonly clock: Clock
  readonly logger: Logger
  readonly version: string
  readonly startedNs: number
  readonly traffic: Traffic
  readonly metrics: ApiMetrics
  readonly segmentEvents: Broadcast
  readonly router: Router
  /** Null where the benchmark family is not served. */
  readonly jobs: BenchJobs | null
  /** A client of a routed answer that reads nothing for so long is put out. */
  readonly slowClientMs: number
  readonly sampler: GpuSampler
  readonly feed: MachineFeed
  readonly vramStreams: VramStreams
}

export interface ApiContextOptions {
  readonly segments: SegmentStore
  readonly cache: CacheWorker | null
  /** Of a cache worker in this process. */
  readonly cacheFigures: CacheFigures | null
  readonly router: Router
  readonly jobs: BenchJobs | null
  readonly sampler: GpuSampler
  readonly machine: Pick<Machine, 'look'>
  readonly clock: Clock
  readonly logger: Logger
  readonly version: string
  readonly limits: TrafficLimits
  /** Time between two looks of `/segments/stream`. */
  readonly segmentIntervalMs: number
  readonly slowClientMs: number
  readonly hasDcgmNames: boolean
}

export function createApiContext(options: ApiContextOptions): ApiContext {
  const {segments, cache, cacheFigures, router, sampler, machine, clock, logger, version} = options
  const {jobs, slowClientMs, hasDcgmNames} = options
  const feed = createMachineFeed(machine, clock)
  const traffic = createTraffic(options.limits)
  const ticker = watchSegments(segments, [], options.segmentIntervalMs, error => {
    logger.warn(`looking at segments failed: ${error instanceof Error ? error.message : String(error)}`)
  })
  return {
    ...{segments, cache, router, jobs, sampler, feed, clock, logger, version, traffic, slowClientMs},
    startedNs: clock.nowNs(),
    metrics: createApiMetrics({
      ...{segments, cacheFigures, router, jobs, feed, sampler, version, traffic, hasDcgmNames, logger},
    }),
    segmentEvents: createBroadcast(ticker, segmentsEvent, slowClientMs),
    vramStreams: createVramStreams(feed, slowClientMs, logger),
  }
}

function segmentsEvent({looks}: SegmentsLook): string {
  return stringifyExact({time: new Date().toISOString(), segments: looks.map(segmentJson)})
}
