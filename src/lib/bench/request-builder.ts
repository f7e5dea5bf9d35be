import {randomBytes} from 'node:crypto'
import {packageVersion} from '../foundation/index.js'
import type {RequestShape} from './bench-plan.js'
import {createPromptWriter} from './prompts.js'

/** Where a server takes requests. */
export interface RequestRoute {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
  /** `/v1` or `/openai/v1`, behind the base URL's own path. */
  readonly apiPath: string
}

/** Everything that decides the bytes of a run's requests. */
export interface RequestRecipe {
  readonly runId: string
  /** Requests go to each in turn. */
  readonly routes: readonly RequestRoute[]
  readonly model: string
  readonly shape: RequestShape
  readonly promptSeed: number
  /** Words that make the wanted number of tokens; only for synthetic prompts. */
  readonly promptWords: number
  readonly apiKey: string | null
}

/** One request, ready to be written to a socket. */
export interface PreparedRequest {
  readonly id: number
  readonly requestId: string
  readonly traceId: string
  /** Place of its route in the recipe. */
  readonly target: number
  readonly bytes: Buffer
}

/**
 * Makes requests outside the clock: head and body in one buffer. Id and seed decide a prompt; the trace ids are new in every
 * run.
 *
 * @returns a function of the request's 1-based id
 */
export function createRequestBuilder(recipe: RequestRecipe): (id: number) => PreparedRequest {
  const {runId, shape} = recipe
  const prompts = createPromptWriter(recipe.promptSeed)
  const {prompt} = shape
  const textOf = (id: number): string =>
    prompt.kind === 'fixed' ? prompt.text : prompts.text(id, recipe.promptWords)
  const heads = recipe.routes.map(route => headOf(route, recipe))
  const traceBase = randomBytes(8).toString('hex')
  return id => {
    const requestId = `${runId}-${id}`
    const target = (id - 1) % heads.length
    const suffix = id.toString(16).padStart(16, '0')
    const traceId = traceBase + suffix
    const body = JSON.stringify(bodyOf(recipe.model, shape, textOf(id)))
    const text =
      `${heads[target]!}x-request-id: ${requestId}\r\ntraceparent: 00-${traceId}-${suffix}-01\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
    return {id, requestId, traceId, target, bytes: Buffer.from(text)}
  }
}

/**
 * The JSON body of one request.
 *
 * @see vllm-project/vllm:vllm/entrypoints/openai/protocol.py — `ignore_eos`, `min_tokens`, `stream_options`
 */
export function bodyOf(model: string, shape: RequestShape, text: string): Record<string, unknown> {
  return {
    model,
    ...(shape.api === 'chat' ? {messages: [{role: 'user', content: text}]} : {prompt: text}),
    max_tokens: shape.maxTokens,
    temperature: shape.temperature,
    ...(shape.topP === null ? {} : {top_p: shape.topP}),
    stream: shape.isStreamed,
    ...(shape.isStreamed ? {stream_options: {include_usage: true}} : {}),
    ...(shape.ignoresEos ? {ignore_eos: true, min_tokens: shape.maxTokens} : {}),
    ...shape.extraBody,
  }
}

function headOf({host, port, isTls, apiPath}: RequestRoute, {shape, apiKey}: RequestRecipe): string {
  const name = host.includes(':') ? `[${host}]` : host
  const authority = port === (isTls ? 443 : 80) ? name : `${name}:${port}`
  const route = shape.api === 'chat' ? 'chat/completions' : 'completions'
  const lines = [
    `POST ${apiPath}/${route} HTTP/1.1`,
    `host: ${authority}`,
    `user-agent: kvctl/${packageVersion}`,
    'content-type: application/json',
    `accept: ${shape.isStreamed ? 'text/event-stream' : 'application/json'}`,
    'accept-encoding: identity',
    ...(apiKey === null ? [] : [`authorization: Bearer ${apiKey}`]),
  ]
  // A line break inside a value would let it write headers of its own.
  return `${lines.map(line => line.replaceAll(/[\r\n]/g, '')).join('\r\n')}\r\n`
}
