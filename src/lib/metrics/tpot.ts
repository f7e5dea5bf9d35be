import type {RequestTimes} from './request-times.js'

/**
 * Time per output token (TPOT), ms: (last token − first token) / (output tokens − 1).
 *
 * @returns null with fewer than two tokens, and when all came in one chunk: their spacing was not seen
 * @see vllm-project/vllm:vllm/benchmarks/serve.py — the same mean, first token left out
 */
export function tpotMs(request: RequestTimes): number | null {
  const {firstTokenAtMs, lastTokenAtMs, completionTokens, chunkCount} = request
  if (firstTokenAtMs === null || lastTokenAtMs === null || completionTokens === null) return null
  const isOneChunk = chunkCount === null ? lastTokenAtMs === firstTokenAtMs : chunkCount < 2
  return completionTokens < 2 || isOneChunk ? null : (lastTokenAtMs - firstTokenAtMs) / (completionTokens - 1)
}
