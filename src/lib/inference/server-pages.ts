import type {HttpClient} from '../http/index.js'

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
