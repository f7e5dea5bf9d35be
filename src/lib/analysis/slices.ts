import type {RequestTable} from '../runs/index.js'

const MAX_SLICES = 120
const WIDTHS_SECONDS = [
  0.1,
  0.2,
  0.5,
  ...[1, 10, 100, 1000, 10_000, 100_000].flatMap(power => [power, 2 * power, 5 * power]),
]

/** Equal parts of a run's time from its origin on, at most 120, for charts. */
export interface Slices {
  readonly widthUs: number
  readonly count: number
  /** The slice of a moment; moments outside fall in the nearest one. */
  at(us: number): number
}

/** Slices that cover everything that happened to any request. */
export function slicesOf(table: RequestTable): Slices {
  let end = 0
  for (const column of [table.doneAtUs, table.lastTokenAtUs, table.sentAtUs]) {
    for (const at of column) if (at > end) end = at
  }
  const isWideEnough = (seconds: number): boolean => end / (seconds * 1e6) < MAX_SLICES
  const widthUs = (WIDTHS_SECONDS.find(isWideEnough) ?? end / 1e6 / (MAX_SLICES - 1)) * 1e6
  const count = table.count === 0 ? 0 : Math.floor(end / widthUs) + 1
  return {widthUs, count, at: us => Math.max(0, Math.min(count - 1, Math.floor(us / widthUs)))}
}
