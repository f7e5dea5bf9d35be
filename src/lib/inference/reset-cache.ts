import type {HttpClient} from '../http/index.js'
import {bearer} from './target.js'

const LIMIT_MS = 30_000

/**
 * Asks a server to forget the prompts that it has cached.
 *
 * @returns false when it has neither route, or refuses
 * @see vllm-project/vllm:vllm/entrypoints/serve/cache/api_router.py — POST /reset_prefix_cache, in development mode
 * @see sgl-project/sglang:python/sglang/srt/entrypoints/http_server.py — POST /flush_cache
 */
export async function resetPrefixCache(
  http: HttpClient,
  baseUrl: string,
  apiKey: string | null,
  signal: AbortSignal,
): Promise<boolean> {
  for (const route of ['reset_prefix_cache', 'flush_cache']) {
    try {
      const options = {headers: bearer(apiKey), timeoutMs: LIMIT_MS, signal}
      const {status} = await http.post(`${baseUrl}/${route}`, {}, options)
      if (status === 200) return true
    } catch {
      signal.throwIfAborted()
    }
  }
  return false
}
