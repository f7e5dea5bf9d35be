import type {Clock} from '../lib/foundation/index.js'
import type {GpuSampler} from '../lib/gpu/index.js'
import {statsDocument} from '../lib/machine/index.js'

/** An answer of `/proxy/stats`. */
export interface StatsAnswer {
  readonly status: 200 | 500
  readonly body: Buffer
  /** Null for failures, which are not kept. */
  readonly cache: 'HIT' | 'MISS' | null
  readonly ageMs: number
}

export interface StatsCache {
  /** The document of at most a second ago; whoever comes while the GPUs are read shares that reading. */
  get(): Promise<StatsAnswer>
}

const AGE_MS = 1000
/** A driver that hangs is not waited for longer. */
const PATIENCE_MS = 2000

/** @see efortin/vllm-chill:pkg/stats/gin_gpu_stats.go — the cache, and errors that carry no X-Cache */
export function createStatsCache(sampler: Pick<GpuSampler, 'look'>, clock: Clock): StatsCache {
  let kept: {readonly body: Buffer; readonly readMs: number} | null = null
  let reading: Promise<StatsAnswer> | null = null
  const nowMs = (): number => clock.nowNs() / 1e6

  const read = async (): Promise<StatsAnswer> => {
    const document = statsDocument(await sampler.look())
    const body = Buffer.from(JSON.stringify(document))
    if ('error' in document) return {status: 500, body, cache: null, ageMs: 0}
    kept = {body, readMs: nowMs()}
    return {status: 200, body, cache: 'MISS', ageMs: 0}
  }
  return {
    async get() {
      const ageMs = kept === null ? Infinity : nowMs() - kept.readMs
      if (ageMs < AGE_MS) return {status: 200, body: kept!.body, cache: 'HIT', ageMs: Math.floor(ageMs)}
      reading ??= read().finally(() => (reading = null))
      return within(reading, PATIENCE_MS)
    },
  }
}

async function within(reading: Promise<StatsAnswer>, patienceMs: number): Promise<StatsAnswer> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<StatsAnswer>(resolve => {
    const body = Buffer.from('{"error":"Failed to query GPU: the driver does not answer"}')
    timer = setTimeout(resolve, patienceMs, {status: 500, body, cache: null, ageMs: 0} as const)
  })
  try {
    return await Promise.race([reading, late])
  } finally {
    clearTimeout(timer)
  }
}
