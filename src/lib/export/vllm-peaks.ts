import type {ExportedRequest} from './exported-run.js'

/**
 * The most requests in flight at one moment, ends before starts on ties.
 *
 * @see vllm-project/vllm:vllm/benchmarks/serve.py — calculate_metrics: a sweep over [start, end)
 */
export function peakConcurrency(requests: readonly ExportedRequest[]): number {
  const changes = requests.flatMap(({sentAtMs, e2eMs}) =>
    sentAtMs === null || e2eMs === null ? [] : [[sentAtMs, 1] as const, [sentAtMs + e2eMs, -1] as const],
  )
  changes.sort(([at, change], [otherAt, other]) => at - otherAt || change - other)
  let [inFlight, most] = [0, 0]
  for (const [, change] of changes) most = Math.max(most, (inFlight += change))
  return most
}

/**
 * The most chunks in one second, seconds counted from the first send.
 *
 * @see vllm-project/vllm:vllm/benchmarks/serve.py — calculate_metrics: it counts a chunk for a token
 */
export function peakTokensPerSecond(requests: readonly ExportedRequest[]): number {
  const firstMs = requests.reduce((least, {sentAtMs}) => Math.min(least, sentAtMs ?? Infinity), Infinity)
  const chunks: number[] = []
  const count = (atMs: number): void => {
    const second = Math.floor((atMs - firstMs) / 1000)
    chunks[second] = (chunks[second] ?? 0) + 1
  }
  for (const {firstTokenAtMs, gapsUs} of requests) {
    if (firstTokenAtMs === null) continue
    let at = firstTokenAtMs
    count(at)
    for (const gap of gapsUs) count((at += gap / 1000))
  }
  return chunks.reduce((most, value) => Math.max(most, value), 0)
}
