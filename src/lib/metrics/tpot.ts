import type {RequestTimes} from './request-times.js'

/**
 * Time per output token (TPOT), ms: (last token − first token) / (output tokens − those of the first chunk), which are 1
 * unless the server says otherwise.
 *
 * @returns null with fewer than two tokens, and when all came in one chunk: their spacing was not seen
 * @see vllm-project/vllm:vllm/benchmarks/serve.py — the same mean, first token left out
 */
export function tpotMs(request: RequestTimes): number | null {
  const {firstTokenAtMs, lastTokenAtMs, completionTokens, chunkCount} = request
  if (firstTokenAtMs === null || lastTokenAtMs === null || completionTokens === null) return null
  const isOneChunk = chunkCount === null ? lastTokenAtMs === firstTokenAtMs : chunkCount < 2
  const later = completionTokens - (request.firstChunkTokens ?? 1)
  return later < 1 || isOneChunk ? null : (lastTokenAtMs - firstTokenAtMs) / later
}
