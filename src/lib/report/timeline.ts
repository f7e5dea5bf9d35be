import {LogHistogram, percentile, sweepConcurrency} from '../metrics/index.js'
import type {GapsReader, ReportRequest} from './report-data.js'

/** What happened in one interval of the run; rates are per second of the time the interval covers. */
export interface TimelineBin {
  readonly fromMs: number
  readonly toMs: number
  readonly completedPerSecond: number
  readonly failedPerSecond: number
  readonly tokensPerSecond: number
  /** Time-weighted mean and largest number of requests in flight. */
  readonly inFlightMean: number
  readonly inFlightMax: number
  /** By the time of sending; null when nothing was sent. */
  readonly ttftP50Ms: number | null
  readonly ttftP95Ms: number | null
  /** By the time of the chunk's arrival, over all requests; null when no gap ended here. */
  readonly itlP50Ms: number | null
  readonly itlP95Ms: number | null
  readonly itlP99Ms: number | null
}

export interface Timeline {
  readonly binMs: number
  readonly spanMs: number
  readonly bins: readonly TimelineBin[]
  /** Every gap of the run, for one distribution over all of them. */
  readonly gaps: LogHistogram
}

const BIN_WIDTHS_MS = [
  100, 200, 250, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000,
  3_600_000,
]

/** The narrowest usual width that cuts `spanMs` into at most `maxBins`. */
export function binWidthMs(spanMs: number, maxBins: number): number {
  const width = BIN_WIDTHS_MS.find(candidate => spanMs / candidate <= maxBins)
  return width ?? Math.ceil(spanMs / maxBins / 3_600_000) * 3_600_000
}

interface OpenBin {
  completed: number
  failed: number
  tokens: number
  inFlightMs: number
  inFlightMax: number
  ttftMs: number[]
  gaps: LogHistogram | null
}

/**
 * Cuts a run into intervals of equal width; a rest shorter than half of one joins the last, since a rate over a sliver of time
 * says nothing. One pass over the requests and one over their gaps; memory grows with the number
 * of requests and intervals, not with the number of gaps.
 *
 * @param forEachGaps hands out the gaps of every request that has some, once
 */
export async function buildTimeline(
  requests: readonly ReportRequest[],
  forEachGaps: GapsReader,
  maxBins: number,
): Promise<Timeline> {
  const spanMs = requests.reduce((end, request) => Math.max(end, request.sentMs + request.latencyMs), 1)
  const binMs = binWidthMs(spanMs, maxBins)
  const open = Array.from({length: Math.max(1, Math.round(spanMs / binMs))}, (): OpenBin => ({
    completed: 0,
    failed: 0,
    tokens: 0,
    inFlightMs: 0,
    inFlightMax: 0,
    ttftMs: [],
    gaps: null,
  }))
  const binAt = (atMs: number): OpenBin =>
    open[Math.max(0, Math.min(open.length - 1, Math.floor(atMs / binMs)))]!
  const gaps = new LogHistogram()

  for (const request of requests) {
    const end = binAt(request.sentMs + request.latencyMs)
    if (request.isSuccess) end.completed++
    else end.failed++
    if (request.ttftMs !== null) binAt(request.sentMs).ttftMs.push(request.ttftMs)
  }
  const hasGaps = new Uint8Array(requests.length)
  await forEachGaps((index, gapsUs) => {
    const request = requests[index]!
    if (request.ttftMs === null || gapsUs.length === 0) return
    hasGaps[index] = 1
    countArrivals(
      request.sentMs + request.ttftMs,
      request.outputTokens ?? gapsUs.length + 1,
      gapsUs,
      binAt,
      gaps,
    )
  })
  requests.forEach((request, index) => {
    if (hasGaps[index] === 1 || request.outputTokens === null) return
    binAt(request.sentMs + (request.e2eMs ?? request.latencyMs)).tokens += request.outputTokens
  })
  const bounds = open.map((_, at) => ({
    fromMs: at * binMs,
    toMs: at === open.length - 1 ? spanMs : (at + 1) * binMs,
  }))
  addInFlight(open, bounds, requests)
  return {binMs, spanMs, bins: open.map((bin, at) => closeBin(bin, bounds[at]!)), gaps}
}

/** Spreads a request's tokens over the arrivals of its chunks: one with the first chunk, the others evenly over the rest. */
function countArrivals(
  firstTokenMs: number,
  tokens: number,
  gapsUs: ArrayLike<number>,
  binAt: (atMs: number) => OpenBin,
  all: LogHistogram,
): void {
  const tokensPerGap = Math.max(0, tokens - 1) / gapsUs.length
  let atMs = firstTokenMs
  binAt(atMs).tokens += Math.min(1, tokens)
  for (let at = 0; at < gapsUs.length; at++) {
    const gapMs = gapsUs[at]! / 1000
    atMs += gapMs
    const bin = binAt(atMs)
    bin.tokens += tokensPerGap
    bin.gaps ??= new LogHistogram()
    bin.gaps.add(gapMs)
    all.add(gapMs)
  }
}

interface Bounds {
  readonly fromMs: number
  readonly toMs: number
}

function addInFlight(
  open: readonly OpenBin[],
  bounds: readonly Bounds[],
  requests: readonly ReportRequest[],
): void {
  const starts = Float64Array.from(requests, request => request.sentMs)
  const ends = Float64Array.from(requests, request => request.sentMs + request.latencyMs)
  let bin = 0
  sweepConcurrency(starts, ends, 0, bounds.at(-1)!.toMs, (fromMs, toMs, inFlight) => {
    for (let atMs = fromMs; atMs < toMs;) {
      while (atMs >= bounds[bin]!.toMs) bin++
      const untilMs = Math.min(toMs, bounds[bin]!.toMs)
      open[bin]!.inFlightMs += inFlight * (untilMs - atMs)
      open[bin]!.inFlightMax = Math.max(open[bin]!.inFlightMax, inFlight)
      atMs = untilMs
    }
  })
}

function closeBin(bin: OpenBin, {fromMs, toMs}: Bounds): TimelineBin {
  const seconds = (toMs - fromMs) / 1000
  const ttft = bin.ttftMs.sort((a, b) => a - b)
  return {
    fromMs,
    toMs,
    completedPerSecond: bin.completed / seconds,
    failedPerSecond: bin.failed / seconds,
    tokensPerSecond: bin.tokens / seconds,
    inFlightMean: bin.inFlightMs / (toMs - fromMs),
    inFlightMax: bin.inFlightMax,
    ttftP50Ms: percentile(ttft, 0.5),
    ttftP95Ms: percentile(ttft, 0.95),
    itlP50Ms: bin.gaps?.quantile(0.5) ?? null,
    itlP95Ms: bin.gaps?.quantile(0.95) ?? null,
    itlP99Ms: bin.gaps?.quantile(0.99) ?? null,
  }
}
