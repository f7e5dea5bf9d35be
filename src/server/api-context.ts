import {stringifyExact, type Clock, type Logger} from '../lib/foundation/index.js'
import {segmentJson, watchSegments, type SegmentsLook, type SegmentStore} from '../lib/segments/index.js'
import type {CacheFigures, CacheWorker} from '../lib/tiers/index.js'
import {createBroadcast, type Broadcast} from './broadcast.js'
import {createApiMetrics, type ApiMetrics} from './exposition/api-metrics.js'
import {createTraffic, type Traffic, type TrafficLimits} from './traffic.js'

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
}

export interface ApiContextOptions {
  readonly segments: SegmentStore
  readonly cache: CacheWorker | null
  /** Of a cache worker in this process. */
  readonly cacheFigures: CacheFigures | null
  readonly clock: Clock
  readonly logger: Logger
  readonly version: string
  readonly limits: TrafficLimits
  /** Time between two looks of `/segments/stream`. */
  readonly segmentIntervalMs: number
  readonly slowClientMs: number
}

export function createApiContext(options: ApiContextOptions): ApiContext {
  const {segments, cache, cacheFigures, clock, logger, version} = options
  const traffic = createTraffic(options.limits)
  const ticker = watchSegments(segments, [], options.segmentIntervalMs, error => {
    logger.warn(`looking at segments failed: ${error instanceof Error ? error.message : String(error)}`)
  })
  return {
    ...{segments, cache, clock, logger, version, traffic},
    startedNs: clock.nowNs(),
    metrics: createApiMetrics({segments, cacheFigures, version, traffic, logger}),
    segmentEvents: createBroadcast(ticker, segmentsEvent, options.slowClientMs),
  }
}

function segmentsEvent({looks}: SegmentsLook): string {
  return stringifyExact({time: new Date().toISOString(), segments: looks.map(segmentJson)})
}
