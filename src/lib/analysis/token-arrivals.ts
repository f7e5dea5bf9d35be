import {ExactHistogram, tokensOfGap, type MeasureWindow} from '../metrics/index.js'
import {readGaps, UNKNOWN_COUNT, type RunDirectory} from '../runs/index.js'
import type {MeasuredRequests} from './measured-requests.js'
import {isWithin} from './run-figures.js'
import type {Slices} from './slices.js'

/** What the walk over every token-bearing chunk of a run gives. */
export interface TokenArrivals {
  /** Gaps between chunks, one sample a chunk. */
  readonly icl: ExactHistogram
  /** Gaps divided by the tokens that they brought, one sample a token. */
  readonly itl: ExactHistogram
  readonly itlMeanMs: number | null
  /** True when the tokens of a chunk had to be taken as the request's mean, because the server did not say them. */
  readonly isItlEstimated: boolean
  /** Gaps by slice of time. */
  readonly iclBySlice: readonly ExactHistogram[]
  readonly tokensBySlice: Float64Array
  /** Tokens that arrived in the windows. */
  readonly tokensInWindow: number
  /** Largest number of tokens in any second since the run's origin. */
  readonly peakTokensPerSecond: number | null
  /** Largest gap of each row, µs; NaN without gaps. */
  readonly maxGapUs: Float64Array
  readonly gapsState: 'whole' | 'torn' | 'missing'
  /** Requests whose gaps in the file do not fit their number of chunks. */
  readonly mismatches: number
}

/**
 * Walks over all gaps of a run once. Tokens of every request count for throughput; only gaps of successful measured requests
 * are samples of latency. Where gaps are missing, a request's tokens are spread evenly from its first to its last.
 */
export async function readTokenArrivals(
  run: RunDirectory,
  measured: MeasuredRequests,
  windows: readonly MeasureWindow[],
  slices: Slices,
): Promise<TokenArrivals> {
  const walk = new ArrivalWalk(measured, windows, slices)
  const summary = await readGaps(run, (id, gapsUs, tokens) => walk.addGaps(id, gapsUs, tokens))
  walk.addRequestsWithoutGaps()
  return walk.result(summary === null ? 'missing' : summary.isWhole ? 'whole' : 'torn')
}

class ArrivalWalk {
  readonly #measured: MeasuredRequests
  readonly #slices: Slices
  readonly #windows: readonly MeasureWindow[]
  readonly #rowOfId: Int32Array
  readonly #isDone: Uint8Array
  readonly #maxGapUs: Float64Array
  readonly #iclBySlice: ExactHistogram[]
  readonly #tokensBySlice: Float64Array
  readonly #tokensBySecond: Float64Array
  /** Only of requests with more or fewer tokens than chunks. */
  readonly #unevenIcl = new ExactHistogram()
  readonly #unevenItl = new ExactHistogram()
  /** Their gaps, where a request's mean stands for what single chunks brought. */
  #estimatedGaps = 0
  #gapSumUs = 0
  #gapTokens = 0
  #tokensInWindow = 0
  #mismatches = 0

  constructor(measured: MeasuredRequests, windows: readonly MeasureWindow[], slices: Slices) {
    const {table} = measured
    this.#measured = measured
    this.#slices = slices
    this.#windows = windows
    this.#rowOfId = rowsById(table.id)
    this.#isDone = new Uint8Array(table.count)
    this.#maxGapUs = new Float64Array(table.count).fill(NaN)
    this.#iclBySlice = Array.from({length: slices.count}, () => new ExactHistogram())
    this.#tokensBySlice = new Float64Array(slices.count)
    this.#tokensBySecond = new Float64Array(Math.ceil((slices.count * slices.widthUs) / 1e6) + 1)
  }

  /** @param chunkTokens of each chunk, where the server said so */
  addGaps(id: number, gapsUs: Uint32Array, chunkTokens: Uint32Array | null): void {
    const {table} = this.#measured
    const row = this.#rowOfId[id] ?? -1
    if (row < 0 || this.#isDone[row] === 1) return
    const first = table.firstTokenAtUs[row]!
    const isKnown = !Number.isNaN(first)
    if (
      !isKnown ||
      (table.chunkCount[row] !== UNKNOWN_COUNT && table.chunkCount[row] !== gapsUs.length + 1)
    ) {
      this.#mismatches++
      return
    }
    this.#isDone[row] = 1
    if (table.isWarmup[row] === 1) return
    const tokens =
      table.completionTokens[row] === UNKNOWN_COUNT ? gapsUs.length + 1 : table.completionTokens[row]!
    const inFirst = chunkTokens?.[0] ?? Math.min(1, tokens)
    this.#addTokens(first, inFirst)
    const later = Math.max(0, tokens - inFirst)
    if (table.outcome[row] !== 0) this.#spread(first, gapsUs, later)
    else if (chunkTokens === null) this.#addSamples(row, first, gapsUs, later)
    else this.#addExactSamples(row, first, gapsUs, chunkTokens)
  }

  /** Requests that were not streamed, answered in one chunk, or whose gaps were lost. */
  addRequestsWithoutGaps(): void {
    const {table, sentRows} = this.#measured
    for (const row of sentRows) {
      const tokens = table.completionTokens[row]!
      if (this.#isDone[row] === 1 || tokens <= 0) continue
      const first = table.firstTokenAtUs[row]!
      const last = table.lastTokenAtUs[row]!
      if (Number.isNaN(first) || Number.isNaN(last) || tokens === 1 || first === last) {
        this.#addTokens(Number.isNaN(first) ? table.doneAtUs[row]! : first, tokens)
        continue
      }
      for (let token = 0; token < tokens; token++)
        this.#addTokens(first + (token * (last - first)) / (tokens - 1), 1)
    }
  }

  result(gapsState: TokenArrivals['gapsState']): TokenArrivals {
    const icl = new ExactHistogram()
    for (const slice of this.#iclBySlice) icl.addAll(slice)
    const isItlEstimated = this.#estimatedGaps > 0
    const itl = new ExactHistogram()
    itl.addAll(icl)
    itl.addAll(this.#unevenIcl, -1)
    itl.addAll(this.#unevenItl)
    const peak = this.#tokensBySecond.reduce((max, tokens) => Math.max(max, tokens), 0)
    return {
      icl,
      itl,
      itlMeanMs: this.#gapTokens === 0 ? null : this.#gapSumUs / this.#gapTokens / 1000,
      isItlEstimated,
      iclBySlice: this.#iclBySlice,
      tokensBySlice: this.#tokensBySlice,
      tokensInWindow: this.#tokensInWindow,
      peakTokensPerSecond: peak === 0 ? null : peak,
      maxGapUs: this.#maxGapUs,
      gapsState,
      mismatches: this.#mismatches,
    }
  }

  #addSamples(row: number, firstUs: number, gapsUs: Uint32Array, tokensAfterFirst: number): void {
    const isEven = tokensAfterFirst === gapsUs.length
    const meanTokens = tokensAfterFirst / gapsUs.length
    let [atUs, max, sum] = [firstUs, 0, 0]
    for (let index = 0; index < gapsUs.length; index++) {
      const gap = gapsUs[index]!
      const tokens = isEven ? 1 : tokensOfGap(index, gapsUs.length, tokensAfterFirst)
      atUs += gap
      sum += gap
      if (gap > max) max = gap
      this.#iclBySlice[this.#slices.at(atUs)]!.add(gap)
      if (!isEven) {
        this.#estimatedGaps++
        this.#unevenIcl.add(gap)
        if (tokens > 0) this.#unevenItl.add(Math.round(gap / meanTokens), tokens)
      }
      this.#addTokens(atUs, tokens)
    }
    this.#maxGapUs[row] = max
    this.#gapSumUs += sum
    this.#gapTokens += tokensAfterFirst
  }

  #addExactSamples(row: number, firstUs: number, gapsUs: Uint32Array, chunkTokens: Uint32Array): void {
    let [atUs, max] = [firstUs, 0]
    for (let index = 0; index < gapsUs.length; index++) {
      const [gap, tokens] = [gapsUs[index]!, chunkTokens[index + 1]!]
      atUs += gap
      if (gap > max) max = gap
      this.#iclBySlice[this.#slices.at(atUs)]!.add(gap)
      this.#unevenIcl.add(gap)
      this.#unevenItl.add(Math.round(gap / tokens), tokens)
      this.#addTokens(atUs, tokens)
      this.#gapSumUs += gap
      this.#gapTokens += tokens
    }
    this.#maxGapUs[row] = max
  }

  #spread(firstUs: number, gapsUs: Uint32Array, tokensAfterFirst: number): void {
    let atUs = firstUs
    for (let index = 0; index < gapsUs.length; index++) {
      atUs += gapsUs[index]!
      this.#addTokens(atUs, tokensOfGap(index, gapsUs.length, tokensAfterFirst))
    }
  }

  #addTokens(atUs: number, tokens: number): void {
    if (Number.isNaN(atUs)) return
    this.#tokensBySlice[this.#slices.at(atUs)]! += tokens
    this.#tokensBySecond[Math.min(this.#tokensBySecond.length - 1, Math.max(0, Math.floor(atUs / 1e6)))]! +=
      tokens
    for (const window of this.#windows) if (isWithin(window, atUs)) this.#tokensInWindow += tokens
  }
}

/** Row of each id, −1 for none; ids far beyond the number of rows are no ids of ours. */
function rowsById(ids: Uint32Array): Int32Array {
  const largest = ids.reduce((max, id) => Math.max(max, id), 0)
  const rows = new Int32Array(Math.min(largest, 16 * ids.length + 1024) + 1).fill(-1)
  ids.forEach((id, row) => {
    if (id < rows.length) rows[id] = row
  })
  return rows
}
