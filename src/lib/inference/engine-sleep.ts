import {NetworkError, ResourceError} from '../foundation/index.js'
import {jsonOf, type HttpClient, type HttpRequestOptions} from '../http/index.js'
import {bearer} from './target.js'

/** An engine that can be put to sleep, and how. */
export interface SleepyEngine {
  /** SGLang has calls of its own; all others speak vLLM's. */
  readonly kind: 'vllm' | 'sglang'
  readonly url: string
  readonly model: string
  readonly apiKey: string | null
  /** 1 keeps the weights in host memory, 2 drops them. Only vLLM has levels. */
  readonly level: 1 | 2
}

/** @see ovg-project/kvcached:controller/sleep_manager.py — the same limits */
const LIMIT_MS = {vllm: 30_000, sglang: 60_000, weights: 120_000, look: 10_000} as const

/**
 * Puts an engine to sleep: it gives its KV cache back, and its weights.
 *
 * vLLM takes the level from the query; the body repeats it, as upstream's controller sends it.
 *
 * @throws NetworkError, ResourceError `ENGINE_CANNOT_SLEEP`
 * @see vllm-project/vllm:vllm/entrypoints/serve/sleep/api_router.py
 * @see sgl-project/sglang:python/sglang/srt/entrypoints/http_server.py — release_memory_occupation
 */
export async function sleepEngine(
  http: HttpClient,
  engine: SleepyEngine,
  signal?: AbortSignal,
): Promise<void> {
  const call = caller(http, engine, signal)
  if (engine.kind === 'sglang') return call('/release_memory_occupation', {}, LIMIT_MS.sglang)
  return call(`/sleep?level=${engine.level}`, {level: String(engine.level)}, LIMIT_MS.vllm)
}

/**
 * Wakes an engine. From vLLM's level 2 it comes back without weights: memory for them first, then the weights, then the KV
 * cache, or it talks nonsense.
 *
 * @throws NetworkError, ResourceError `ENGINE_CANNOT_SLEEP`
 * @see vllm-project/vllm:docs/features/sleep_mode.md — the order of level 2
 */
export async function wakeEngine(
  http: HttpClient,
  engine: SleepyEngine,
  signal?: AbortSignal,
): Promise<void> {
  const call = caller(http, engine, signal)
  if (engine.kind === 'sglang') {
    await call('/resume_memory_occupation', {}, LIMIT_MS.sglang)
    await call('/update_weights_from_disk', {model_path: engine.model}, LIMIT_MS.weights)
    return
  }
  if (engine.level === 1) return call('/wake_up', undefined, LIMIT_MS.vllm)
  await call('/wake_up?tags=weights', undefined, LIMIT_MS.vllm)
  await call('/collective_rpc', {method: 'reload_weights'}, LIMIT_MS.weights)
  await call('/wake_up?tags=kv_cache', undefined, LIMIT_MS.vllm)
}

/** Whether an engine sleeps; null where it does not say: SGLang has no such question, and some servers no such route. */
export async function isEngineSleeping(
  http: HttpClient,
  engine: SleepyEngine,
  signal?: AbortSignal,
): Promise<boolean | null> {
  if (engine.kind === 'sglang') return null
  try {
    const answer = await http.get(`${engine.url}/is_sleeping`, options(engine, LIMIT_MS.look, signal))
    const {is_sleeping: isSleeping} = jsonOf(answer) as {is_sleeping?: unknown}
    return typeof isSleeping === 'boolean' ? isSleeping : null
  } catch (error) {
    if (error instanceof NetworkError) return null
    throw error
  }
}

type Call = (path: string, body: object | undefined, timeoutMs: number) => Promise<void>

function caller(http: HttpClient, engine: SleepyEngine, signal?: AbortSignal): Call {
  return async (path, body, timeoutMs) => {
    const answer = await http.post(`${engine.url}${path}`, body, options(engine, timeoutMs, signal))
    if (answer.status === 200) return
    if (answer.status === 404) {
      const needs =
        engine.kind === 'sglang'
          ? 'start SGLang with --enable-memory-saver'
          : 'start vLLM with --enable-sleep-mode and VLLM_SERVER_DEV_MODE=1'
      throw new ResourceError('ENGINE_CANNOT_SLEEP', `${answer.url} does not exist`, {suggestions: [needs]})
    }
    const said = answer.text.trim().slice(0, 200)
    throw new NetworkError(
      'ENDPOINT_STATUS',
      `${answer.url} answered HTTP ${answer.status}${said && `: ${said}`}`,
    )
  }
}

function options({apiKey}: SleepyEngine, timeoutMs: number, signal?: AbortSignal): HttpRequestOptions {
  return {headers: bearer(apiKey), timeoutMs, ...(signal && {signal})}
}
