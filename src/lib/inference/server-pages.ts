import type {HttpClient} from '../http/index.js'
import {bearer, type InferenceTarget} from './target.js'

/** The version a vLLM-like server states, or null. */
export async function fetchVersion(
  http: HttpClient,
  baseUrl: string,
  signal?: AbortSignal,
): Promise<string | null> {
  try {
    const answer = await http.get(`${baseUrl}/version`, {timeoutMs: 2000, ...(signal && {signal})})
    const {version} = JSON.parse(answer.text) as {version?: unknown}
    return answer.status === 200 && typeof version === 'string' ? version : null
  } catch {
    signal?.throwIfAborted()
    return null
  }
}

/** The Prometheus text page, or null where there is none: the route is missing, or answers with JSON as TensorRT-LLM's does. */
export async function fetchMetricsText(
  http: HttpClient,
  baseUrl: string,
  signal?: AbortSignal,
): Promise<string | null> {
  try {
    const answer = await http.get(`${baseUrl}/metrics`, {timeoutMs: 2000, ...(signal && {signal})})
    return answer.status === 200 && !answer.contentType.includes('json') ? answer.text : null
  } catch {
    signal?.throwIfAborted()
    return null
  }
}

/**
 * How many tokens the server makes of one user message, chat template included, by its `/tokenize`; null where it has none.
 *
 * @see vllm-project/vllm:vllm/entrypoints/openai/protocol.py — TokenizeChatRequest, TokenizeResponse.count
 */
export async function countPromptTokens(
  http: HttpClient,
  target: InferenceTarget,
  apiKey: string | null,
  content: string,
  signal?: AbortSignal,
): Promise<number | null> {
  const body = {model: target.model, messages: [{role: 'user', content}]}
  try {
    const answer = await http.post(`${target.baseUrl}/tokenize`, body, {
      headers: bearer(apiKey),
      timeoutMs: 5000,
      ...(signal && {signal}),
    })
    const {count} = JSON.parse(answer.text) as {count?: unknown}
    return answer.status === 200 && typeof count === 'number' ? count : null
  } catch {
    signal?.throwIfAborted()
    return null
  }
}
