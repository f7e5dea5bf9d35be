import {askForText, askIfOffered, type RemoteServer} from './ask-server.js'
import {fieldsOf, numberOf, textOf} from '../foundation/index.js'

/** A tier of a KV-cache worker on the screen; null is unknown. */
export interface TierFigures {
  /** As the worker calls it, such as `LocalCPUBackend`. */
  readonly name: string
  /** URL of its worker. */
  readonly worker: string
  readonly readAtMs: number
  /** Why it is left out for the moment; null when it works. */
  readonly degraded: string | null
  readonly bytes: number | null
  readonly capacityBytes: number | null
  readonly chunks: number | null
  readonly pinnedChunks: number | null
  /** Since the worker's start. */
  readonly evictedChunks: number | null
  /** Chunks on their way there. */
  readonly pendingWrites: number | null
  readonly readBytes: number | null
  readonly writeBytes: number | null
  /** Reads and writes that failed or were dropped. */
  readonly failures: number | null
  /** Share of the tokens that were asked of its worker and found, in whichever tier, 0–100. */
  readonly hitPercent: number | null
}

/**
 * The tiers of a worker: kvctl's, or LMCache's own, which tells less.
 *
 * @returns null where there is no cache worker
 * @throws as `askServer`
 */
export async function lookAtTiers(server: RemoteServer): Promise<TierFigures[] | null> {
  // One after the other: where there is no worker, that is one refused connection in place of two.
  const figures = await askIfOffered(server, '/backends/figures')
  const page = await askForText(server, '/metrics')
  // With it comes the HTTP client, which a screen does not start with.
  const {metricValues} = await import('../inference/index.js')
  const tiers = tierFigures(server.url, Date.now(), figures, metricValues(page ?? '', TIER_SERIES))
  return tiers.length === 0 ? null : tiers
}

/** What LMCache's page says of each of its tiers. @see LMCache/LMCache:lmcache/observability.py */
const USAGES = {
  LocalCPUBackend: 'lmcache:local_cache_usage',
  LocalDiskBackend: 'lmcache:local_storage_usage',
  RemoteBackend: 'lmcache:remote_cache_usage',
} as const
const ASKED = 'lmcache:num_requested_tokens_total'
const FOUND = 'lmcache:num_hit_tokens_total'

/** What is read of a worker's metrics page. */
export const TIER_SERIES: readonly string[] = [...Object.values(USAGES), ASKED, FOUND]

/**
 * Pure: tiers of the document of kvctl's workers, else of what LMCache's page says.
 *
 * @param figures null where there is no such document
 * @param values of {@link TIER_SERIES}
 */
export function tierFigures(
  worker: string,
  readAtMs: number,
  figures: unknown,
  values: ReadonlyMap<string, number>,
): TierFigures[] {
  const asked = values.get(ASKED) ?? 0
  const shared = {
    ...{worker, readAtMs},
    hitPercent: asked === 0 ? null : ((values.get(FOUND) ?? 0) / asked) * 100,
  }
  const backends = Object.entries(fieldsOf(fieldsOf(figures)['backends']))
  if (backends.length > 0) return backends.map(([name, tier]) => ({name, ...tierOf(tier), ...shared}))
  return Object.entries(USAGES).flatMap(([name, series]) => {
    const bytes = values.get(series)
    return bytes === undefined ? [] : [{name, ...tierOf({bytes}), ...shared}]
  })
}

function tierOf(document: unknown): Omit<TierFigures, 'name' | 'worker' | 'readAtMs' | 'hitPercent'> {
  const tier = fieldsOf(document)
  const failures = ['failed_reads', 'failed_writes', 'dropped_writes'].map(key => numberOf(tier[key]))
  return {
    degraded: textOf(tier['degraded']),
    bytes: numberOf(tier['bytes']),
    capacityBytes: numberOf(tier['capacity_bytes']),
    chunks: numberOf(tier['chunks']),
    pinnedChunks: numberOf(tier['pinned_chunks']),
    evictedChunks: numberOf(tier['evicted_chunks']),
    pendingWrites: numberOf(tier['pending_writes']),
    readBytes: numberOf(tier['read_bytes']),
    writeBytes: numberOf(tier['write_bytes']),
    failures: failures.includes(null) ? null : failures.reduce<number>((sum, count) => sum + count!, 0),
  }
}
