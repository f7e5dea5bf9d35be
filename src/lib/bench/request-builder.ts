import {randomBytes} from 'node:crypto'
import {mixBits, packageVersion} from '../foundation/index.js'
import type {BenchOptions, RequestShape} from './bench-plan.js'
import type {MadeMessage, WorkItem} from '../workloads/index.js'
import {blockText, createPromptWriter, type TokenFit} from './prompts.js'

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
  readonly fit: TokenFit
  /** What single requests are, by id; null when all are alike. Warm-up requests have none. */
  readonly items: ReadonlyMap<number, WorkItem> | null
  readonly apiKey: string | null
  readonly urlOrder: BenchOptions['urlOrder']
  /** The place of each conversation among all, by the id of its first request; null where each request is one. */
  readonly places: ReadonlyMap<number, number> | null
}

/** Warm-up requests of a workload say nothing that it says. */
const WARM_UP_WORDS = 64

/** What one request says: messages, or one text. */
type Saying =
  | {readonly text: string; readonly messages?: never}
  | {readonly messages: readonly object[]; readonly text?: never}

/** One request, ready to be written to a socket. */
export interface PreparedRequest {
  readonly id: number
  readonly requestId: string
  readonly traceId: string
  /** Id of the first request of its conversation. */
  readonly session: number
  readonly turn: number
  /** Place of its route in the recipe. */
  readonly target: number
  readonly bytes: Buffer
}

/** Makes the requests of a run. */
export interface RequestBuilder {
  /** Whether it can be made before the run: it repeats no answer that is yet to come. */
  isKnown(id: number): boolean
  /** Whether the request after it repeats its answer. */
  isRepeated(id: number): boolean
  /** Keeps the answer to a request for those that repeat it. */
  answered(id: number, text: string): void
  build(id: number): PreparedRequest
}

/**
 * Makes requests outside the clock: head and body in one buffer. Id and seed decide a prompt; the trace ids are new in every
 * run.
 *
 * @returns a function of the request's 1-based id
 */
export function createRequestBuilder(recipe: RequestRecipe): RequestBuilder & {
  /** What a request says, as JSON. */
  body(id: number): Record<string, unknown>
} {
  const {runId, shape} = recipe
  const prompts = createPromptWriter(recipe.promptSeed)
  const {prompt} = shape
  const textOf = (id: number): string => {
    if (prompt.kind === 'fixed') return prompt.text
    return prompts.text(id, prompt.kind === 'synthetic' ? recipe.fit.words : WARM_UP_WORDS)
  }
  const sayingOf = (id: number): Saying => {
    const item = recipe.items?.get(id)
    if (item === undefined) return {text: textOf(id)}
    const saying = contentOf(item, shape, recipe.fit)
    return item.isLive === true && item.turn > 0 ? withAnswers(saying, answers, id - item.turn) : saying
  }
  const answers = new Map<number, string>()
  const isRepeated = (id: number): boolean => {
    const next = recipe.items?.get(id + 1)
    return next?.isLive === true && next.turn > 0
  }
  const body = (id: number): Record<string, unknown> =>
    bodyOf(recipe.model, shape, sayingOf(id), recipe.items?.get(id) ?? null)
  const heads = recipe.routes.map(route => headOf(route, recipe))
  const traceBase = randomBytes(8).toString('hex')
  const build = (id: number): PreparedRequest => {
    const requestId = `${runId}-${id}`
    const turn = recipe.items?.get(id)?.turn ?? 0
    const session = id - turn
    const target = serverOf(recipe, session)
    const suffix = id.toString(16).padStart(16, '0')
    const traceId = traceBase + suffix
    const text = JSON.stringify(body(id))
    const sticky = shape.sessionHeader === null ? '' : `${shape.sessionHeader}: ${runId}-${session}\r\n`
    const whole =
      `${heads[target]!}${sticky}x-request-id: ${requestId}\r\ntraceparent: 00-${traceId}-${suffix}-01\r\n` +
      `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
    // The last turn of a conversation: nobody repeats it any more.
    if (turn > 0 && !isRepeated(id)) for (let before = session; before < id; before++) answers.delete(before)
    return {id, requestId, traceId, session, turn, target, bytes: Buffer.from(whole)}
  }
  return {
    isKnown: id => !isRepeated(id - 1),
    isRepeated,
    answered: (id, text) => void answers.set(id, text),
    body,
    build,
  }
}

/** What a user said, with the server's own answers between. */
function withAnswers(saying: Saying, answers: ReadonlyMap<number, string>, session: number): Saying {
  const said = (saying.messages ?? []).filter(message => roleOf(message) !== 'assistant')
  let turn = 0
  return {
    messages: said.flatMap((message, place) => {
      const isAnswered = roleOf(message) === 'user' && place < said.length - 1
      return isAnswered
        ? [message, {role: 'assistant', content: answers.get(session + turn++) ?? ''}]
        : [message]
    }),
  }
}

function roleOf(message: object): unknown {
  return (message as {role?: unknown}).role
}

/** A conversation stays with its server, whose cache knows it. */
function serverOf({routes, places, urlOrder, promptSeed}: RequestRecipe, session: number): number {
  const place = places?.get(session) ?? session - 1
  return (urlOrder === 'in-turn' ? place : mixBits(promptSeed ^ mixBits(place)) >>> 0) % routes.length
}

/**
 * The JSON body of one request. Where tools are offered no length is forced: the arguments of a call must come to their end.
 *
 * @see vllm-project/vllm:vllm/entrypoints/openai/protocol.py — `ignore_eos`, `min_tokens`, `stream_options`
 */
export function bodyOf(
  model: string,
  shape: RequestShape,
  saying: Saying,
  item: Pick<WorkItem, 'maxTokens' | 'extraBody'> | null,
): Record<string, unknown> {
  const maxTokens = item?.maxTokens ?? shape.maxTokens
  const hasTools = {...shape.extraBody, ...item?.extraBody}['tools'] !== undefined
  return {
    model,
    ...(shape.api === 'completions'
      ? {prompt: plainText(saying)}
      : {messages: saying.messages ?? [{role: 'user', content: saying.text}]}),
    [shape.lengthKey]: maxTokens,
    temperature: shape.temperature,
    ...(shape.topP === null ? {} : {top_p: shape.topP}),
    stream: shape.isStreamed,
    ...(shape.isStreamed ? {stream_options: streamOptions(shape)} : {}),
    ...(shape.ignoresEos && !hasTools ? {ignore_eos: true, min_tokens: maxTokens} : {}),
    ...shape.extraBody,
    ...item?.extraBody,
  }
}

function streamOptions({isItlExact}: RequestShape): object {
  return {include_usage: true, ...(isItlExact && {continuous_usage_stats: true})}
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
    ...Object.entries(shape.headers).map(([name, value]) => `${name}: ${value}`),
  ]
  // A line break inside a value would let it write headers of its own.
  return `${lines.map(line => line.replaceAll(/[\r\n]/g, '')).join('\r\n')}\r\n`
}

function contentOf({content}: WorkItem, {api}: RequestShape, fit: TokenFit): Saying {
  switch (content.kind) {
    case 'text':
      return {text: content.text}
    case 'messages':
      return {messages: content.messages}
    case 'made': {
      // The template around a prompt is part of its length; it shortens the first question, which every later turn repeats.
      const overhead = api === 'chat' ? fit.overheadTokens : 0
      const first = content.messages.findIndex(({role}) => role === 'user')
      const messages = content.messages.map(({role, blocks, call}, index) => {
        const texts = blocks.map(({seed, tokens}, place) => {
          const isEnd = index === first && place === blocks.length - 1
          return blockText({seed, tokens: isEnd ? Math.max(1, tokens - overhead) : tokens}, fit)
        })
        return messageOf(role, texts.join(' '), call)
      })
      return {messages}
    }
  }
}

/** @see openai/openai-openapi:openapi.yaml — ChatCompletionRequestToolMessage, ChatCompletionMessageToolCall */
function messageOf(role: MadeMessage['role'], text: string, call: string | undefined): object {
  if (call === undefined) return {role, content: text}
  if (role === 'tool') return {role, tool_call_id: call, content: text}
  const asked = {name: 'look_up', arguments: JSON.stringify({query: text})}
  return {role, content: null, tool_calls: [{id: call, type: 'function', function: asked}]}
}

/** For the route that takes no messages: what was said, in order. */
function plainText({text, messages}: Saying): string {
  if (text !== undefined) return text
  return messages
    .map(({content}: {content?: unknown}) => (typeof content === 'string' ? content : ''))
    .join('\n')
}
