import type {HttpClient} from '../http/index.js'
import {bearer, type InferenceTarget} from './target.js'

const LIMIT_MS = 30_000

/**
 * Counts what a server makes of one prompt, chat template included: by its `/tokenize`, else by asking for one token and
 * reading `usage.prompt_tokens`.
 *
 * @param shape the fields that carry the prompt: `{messages}` or `{prompt}`
 * @returns null when it says neither
 * @see vllm-project/vllm:vllm/entrypoints/serve/tokenize/protocol.py — TokenizeResponse.count
 */
export async function countPromptTokens(
  http: HttpClient,
  target: InferenceTarget,
  apiKey: string | null,
  shape: {readonly messages: readonly object[]} | {readonly prompt: string},
  signal?: AbortSignal,
): Promise<number | null> {
  const {baseUrl, apiPath, model} = target
  const options = {headers: bearer(apiKey), timeoutMs: LIMIT_MS, ...(signal && {signal})}
  const ask = async (url: string, body: object): Promise<Answer | null> => {
    try {
      const {status, text} = await http.post(url, body, options)
      return status === 200 ? (JSON.parse(text) as Answer) : null
    } catch {
      signal?.throwIfAborted()
      return null
    }
  }
  const tokenized = await ask(`${baseUrl}/tokenize`, {model, ...shape})
  if (typeof tokenized?.count === 'number') return tokenized.count
  const route = 'messages' in shape ? 'chat/completions' : 'completions'
  const body = {model, ...shape, max_tokens: 1, temperature: 0, stream: false}
  const used = (await ask(`${baseUrl}${apiPath}/${route}`, body))?.usage?.prompt_tokens
  return typeof used === 'number' ? used : null
}

interface Answer {
  readonly count?: unknown
  readonly usage?: {readonly prompt_tokens?: unknown} | null
}
