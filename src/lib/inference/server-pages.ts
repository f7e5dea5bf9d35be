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
  timeoutMs = 2000,
): Promise<string | null> {
  try {
    const answer = await http.get(`${baseUrl}/metrics`, {timeoutMs, ...(signal && {signal})})
    return answer.status === 200 && !answer.contentType.includes('json') ? answer.text : null
  } catch {
    signal?.throwIfAborted()
    return null
  }
}

/**
 * Where a served model's weights come from, a local folder or a name of the Hugging Face hub; null where the server does not
 * say, or asks for a key.
 *
 * @param model null takes the first that is listed
 * @see vllm-project/vllm:vllm/entrypoints/openai/engine/protocol.py — ModelCard.root
 */
export async function fetchModelRoot(
  http: HttpClient,
  baseUrl: string,
  model: string | null,
  timeoutMs: number,
): Promise<string | null> {
  try {
    const answer = await http.get(`${baseUrl}/v1/models`, {timeoutMs})
    const {data} = JSON.parse(answer.text) as {data?: {id?: unknown; root?: unknown}[]}
    const card = data?.find(({id}) => model === null || id === model)
    return answer.status === 200 && typeof card?.root === 'string' ? card.root : null
  } catch {
    return null
  }
}
