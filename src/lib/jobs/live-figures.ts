import {percentile} from '../metrics/index.js'
import type {RequestRecord} from '../runs/index.js'

/** How a run does just now; null where nothing ended lately. */
export interface LiveFigures {
  readonly throughput_rps: number | null
  readonly p95_latency_ms: number | null
  readonly avg_ttft_ms: number | null
  readonly tokens_per_second: number | null
}

/** What ended since the last report, as metrics count it. */
export interface Observations {
  readonly durationsMs: readonly number[]
  readonly ttftsMs: readonly number[]
  readonly sendLagsMs: readonly number[]
  readonly gapsUs: readonly number[]
  readonly failures: Readonly<Record<string, number>>
  readonly promptTokens: number
  readonly completionTokens: number
}

const RECENT_MS = 10_000

/** Collects records while a run lasts. Warm-up is left out. */
export class RecentRecords {
  #recent: {readonly atMs: number; readonly record: RequestRecord}[] = []
  #fresh: RequestRecord[] = []

  /** @param nowMs any monotonic clock */
  add(records: readonly RequestRecord[], nowMs: number): void {
    const measured = records.filter(({phase}) => phase === 'measure')
    this.#fresh.push(...measured)
    for (const record of measured) this.#recent.push({atMs: nowMs, record})
  }

  /** Over the last 10 s, or since the first record if that is less. */
  figures(nowMs: number): LiveFigures {
    this.#recent = this.#recent.filter(({atMs}) => nowMs - atMs <= RECENT_MS)
    const ok = this.#recent.filter(({record}) => record.outcome === 'ok')
    const seconds = Math.max(1, (nowMs - (this.#recent[0]?.atMs ?? nowMs)) / 1000)
    const latencies = ok.flatMap(({record}) => since(record.doneAtMs, record.sentAtMs))
    const ttfts = ok.flatMap(({record}) => since(record.firstTokenAtMs, record.sentAtMs))
    const tokens = ok.reduce((sum, {record}) => sum + (record.completionTokens ?? 0), 0)
    if (ok.length === 0) {
      return {throughput_rps: null, p95_latency_ms: null, avg_ttft_ms: null, tokens_per_second: null}
    }
    return {
      throughput_rps: ok.length / seconds,
      p95_latency_ms: percentile(Float64Array.from(latencies).sort(), 0.95),
      avg_ttft_ms: ttfts.length === 0 ? null : ttfts.reduce((sum, one) => sum + one, 0) / ttfts.length,
      tokens_per_second: tokens / seconds,
    }
  }

  /** What was added since the last call. */
  take(): Observations {
    const fresh = this.#fresh.splice(0)
    const ok = fresh.filter(({outcome}) => outcome === 'ok')
    const failures: Record<string, number> = {}
    for (const {outcome} of fresh) if (outcome !== 'ok') failures[outcome] = (failures[outcome] ?? 0) + 1
    return {
      durationsMs: ok.flatMap(one => since(one.doneAtMs, one.sentAtMs)),
      ttftsMs: ok.flatMap(one => since(one.firstTokenAtMs, one.sentAtMs)),
      sendLagsMs: fresh.flatMap(one => since(one.sentAtMs, one.scheduledAtMs)),
      gapsUs: ok.flatMap(one => [...one.gapsUs]),
      failures,
      promptTokens: ok.reduce((sum, one) => sum + (one.promptTokens ?? 0), 0),
      completionTokens: ok.reduce((sum, one) => sum + (one.completionTokens ?? 0), 0),
    }
  }
}

function since(end: number | null, start: number | null): number[] {
  return end === null || start === null ? [] : [end - start]
}
