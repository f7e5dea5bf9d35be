import {NetworkError, ResourceError} from '../foundation/index.js'
import {jsonOf, type HttpAnswer, type HttpClient} from '../http/index.js'

/** A server that speaks the OpenAI API, and the model to ask it for. */
export interface InferenceTarget {
  /** Without a trailing slash and without the API path. */
  readonly baseUrl: string
  /** `/v1`, or `/openai/v1` behind KServe's Hugging Face runtime. */
  readonly apiPath: string
  readonly model: string
  /** Prompt plus answer, tokens; null when the server does not say. */
  readonly maxModelLen: number | null
}

export interface TargetQuery {
  readonly url: string
  /** null takes the first model that the server lists. */
  readonly model: string | null
  readonly apiKey: string | null
  readonly signal?: AbortSignal
}

/** @see kserve/kserve:python/huggingfaceserver — KSERVE_OPENAI_ROUTE_PREFIX, default `/openai` */
const API_PATHS = ['/v1', '/openai/v1'] as const

/**
 * Finds where a server keeps its OpenAI routes and which model it serves, by asking it for its list of models.
 *
 * @throws NetworkError when nothing answers or what answers is no such server
 * @throws ResourceError `MODEL_NOT_FOUND` when it does not list the wanted model
 */
export async function findTarget(http: HttpClient, query: TargetQuery): Promise<InferenceTarget> {
  const {url, model, apiKey, signal} = query
  const baseUrl = url.replace(/\/+$/, '').replace(/(?:\/openai)?\/v1(?:\/(?:chat\/)?completions)?$/, '')
  const options = {headers: bearer(apiKey), ...(signal && {signal})}
  for (const apiPath of API_PATHS) {
    const answer = await http.get(`${baseUrl}${apiPath}/models`, options)
    if (answer.status === 404) continue
    const listed = modelsOf(answer)
    const chosen = chooseModel(listed, model, baseUrl)
    return {baseUrl, apiPath, model: chosen.id, maxModelLen: chosen.maxModelLen}
  }
  throw new NetworkError(
    'ENDPOINT_NOT_OPENAI',
    `${baseUrl} has neither ${API_PATHS.map(path => `${path}/models`).join(' nor ')}`,
    {suggestions: ['give the base URL of an OpenAI-compatible server, such as http://localhost:8000']},
  )
}

/** The header that carries an API key, or none. */
export function bearer(apiKey: string | null): Record<string, string> {
  return apiKey === null ? {} : {authorization: `Bearer ${apiKey}`}
}

interface ListedModel {
  readonly id: string
  readonly maxModelLen: number | null
}

function modelsOf(answer: HttpAnswer): readonly ListedModel[] {
  if (answer.status === 401 || answer.status === 403) {
    throw new NetworkError(
      'ENDPOINT_UNAUTHORIZED',
      `${answer.url} wants an API key (HTTP ${answer.status})`,
      {
        suggestions: ['give one with --api-key or KVCTL_API_KEY'],
      },
    )
  }
  const document = jsonOf(answer) as {data?: unknown} | null
  if (!Array.isArray(document?.data)) {
    throw new NetworkError('ENDPOINT_NOT_OPENAI', `${answer.url} did not answer with a list of models`)
  }
  return document.data.flatMap((entry: {id?: unknown; max_model_len?: unknown} | null) =>
    typeof entry?.id === 'string'
      ? [{id: entry.id, maxModelLen: typeof entry.max_model_len === 'number' ? entry.max_model_len : null}]
      : [],
  )
}

function chooseModel(listed: readonly ListedModel[], wanted: string | null, baseUrl: string): ListedModel {
  const chosen = wanted === null ? listed[0] : listed.find(({id}) => id === wanted)
  if (chosen) return chosen
  // A gateway may route by name without listing anything; then the user's word is all there is.
  if (wanted !== null && listed.length === 0) return {id: wanted, maxModelLen: null}
  throw new ResourceError(
    'MODEL_NOT_FOUND',
    wanted === null ? `${baseUrl} lists no model` : `${baseUrl} does not serve a model '${wanted}'`,
    {
      suggestions:
        listed.length === 0 ? ['name one with --model'] : listed.slice(0, 3).map(({id}) => `--model ${id}`),
    },
  )
}
