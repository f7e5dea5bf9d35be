import {NetworkError} from '../foundation/index.js'
import type {HttpAnswer, HttpClient} from '../http/index.js'
import type {InferenceTarget} from '../inference/index.js'
import {errorMessage} from '../openai/index.js'

/** What a server can do of the OpenAI API. */
export interface Capability {
  readonly name: string
  /** Null when the server's answer does not tell. */
  readonly isSupported: boolean | null
  readonly detail: string
}

interface Check {
  readonly name: string
  readonly route: 'chat/completions' | 'completions'
  readonly body: Readonly<Record<string, unknown>>
  /** A sentence that says what is wrong, or null; undefined when a model may well answer otherwise. */
  readonly judge: (answer: HttpAnswer) => string | null | undefined
}

const ASK = [{role: 'user', content: 'Say one word.'}]
const WEATHER = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Current weather at a place',
    parameters: {type: 'object', properties: {location: {type: 'string'}}, required: ['location']},
  },
}
const SCHEMA = {
  type: 'object',
  properties: {ok: {type: 'boolean'}},
  required: ['ok'],
  additionalProperties: false,
}
const FORCED = {type: 'function', function: {name: 'get_weather'}}

interface Message {
  readonly content?: string | null
  readonly tool_calls?: readonly {readonly function?: {readonly name?: string; readonly arguments?: string}}[]
}
interface Body {
  readonly choices?: readonly {
    readonly message?: Message
    readonly text?: string
    readonly logprobs?: unknown
  }[]
  readonly usage?: {readonly completion_tokens?: number}
}

const CHECKS: readonly Check[] = [
  {
    name: 'chat',
    route: 'chat/completions',
    body: {messages: ASK},
    judge: answer => (firstMessage(answer) === null ? 'no message' : null),
  },
  {
    name: 'completions',
    route: 'completions',
    body: {prompt: 'One'},
    judge: answer => (bodyOf(answer)?.choices?.[0]?.text === undefined ? 'no text' : null),
  },
  {
    name: 'usage',
    route: 'chat/completions',
    body: {messages: ASK},
    judge: answer => (typeof bodyOf(answer)?.usage?.completion_tokens === 'number' ? null : 'no usage'),
  },
  {name: 'streaming', route: 'chat/completions', body: {messages: ASK, stream: true}, judge: judgeStream},
  {
    name: 'stream_usage',
    route: 'chat/completions',
    body: {messages: ASK, stream: true, stream_options: {include_usage: true}},
    judge: answer => (chunksOf(answer).some(({usage}) => usage != null) ? null : 'no chunk has usage'),
  },
  {
    name: 'json_mode',
    route: 'chat/completions',
    body: {
      messages: [{role: 'user', content: 'Answer with a JSON object.'}],
      response_format: {type: 'json_object'},
      max_tokens: 256,
    },
    judge: answer => judgeJson(answer, value => typeof value === 'object'),
  },
  {
    name: 'json_schema',
    route: 'chat/completions',
    body: {
      messages: ASK,
      max_tokens: 64,
      response_format: {type: 'json_schema', json_schema: {name: 'answer', schema: SCHEMA, strict: true}},
    },
    judge: answer => judgeJson(answer, value => typeof (value as {ok?: unknown}).ok === 'boolean'),
  },
  {
    name: 'tools',
    route: 'chat/completions',
    body: {messages: ASK, tools: [WEATHER], tool_choice: FORCED, max_tokens: 128},
    judge: answer => judgeCalls(answer),
  },
  {
    name: 'auto_tools',
    route: 'chat/completions',
    body: {
      messages: [{role: 'user', content: 'What is the weather in Oslo?'}],
      tools: [WEATHER],
      tool_choice: 'auto',
      max_tokens: 128,
    },
    // Whether to call is the model's to choose; that the server takes the request is the server's.
    judge: answer => (firstMessage(answer) === null ? 'no message' : null),
  },
  {
    name: 'parallel_tools',
    route: 'chat/completions',
    body: {
      messages: [{role: 'user', content: 'Compare the weather in Oslo and in Rome.'}],
      ...{tools: [WEATHER], tool_choice: 'required', parallel_tool_calls: true, max_tokens: 256},
    },
    judge(answer) {
      const wrong = judgeCalls(answer)
      return wrong === null && firstMessage(answer)?.tool_calls?.length === 1 ? undefined : wrong
    },
  },
  {
    name: 'logprobs',
    route: 'chat/completions',
    body: {messages: ASK, logprobs: true, top_logprobs: 2},
    judge: answer => (bodyOf(answer)?.choices?.[0]?.logprobs == null ? 'no logprobs' : null),
  },
  {
    name: 'n',
    route: 'chat/completions',
    body: {messages: ASK, n: 2, temperature: 1},
    judge: answer => (bodyOf(answer)?.choices?.length === 2 ? null : 'not two choices'),
  },
  {
    name: 'seed',
    route: 'chat/completions',
    body: {messages: ASK, seed: 1},
    judge: answer => (firstMessage(answer) === null ? 'no message' : null),
  },
  {
    name: 'stop',
    route: 'chat/completions',
    body: {messages: ASK, stop: ['\n']},
    judge: answer => (firstMessage(answer) === null ? 'no message' : null),
  },
]

/** How many requests a probe sends. */
export const API_CHECKS = CHECKS.length

/**
 * Asks a server for each part of the API once and tells what came back.
 *
 * @param answered called after each request
 * @throws NetworkError when it cannot be reached
 * @see Siryoos/kserve-vllm-mini:scripts/openai_parity_probe.py — the same matrix
 */
export async function probeApi(
  http: HttpClient,
  {baseUrl, apiPath, model}: InferenceTarget,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
  answered: () => void,
  signal: AbortSignal,
): Promise<Capability[]> {
  const found: Capability[] = []
  for (const {name, route, body, judge} of CHECKS) {
    const asked = {model, max_tokens: 16, temperature: 0, ...body}
    try {
      const answer = await http.post(`${baseUrl}${apiPath}/${route}`, asked, {headers, timeoutMs, signal})
      found.push(capability(name, answer, judge))
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof NetworkError) || found.length === 0) throw error
      found.push({name, isSupported: false, detail: error.message})
    }
    answered()
  }
  return found
}

function capability(name: string, answer: HttpAnswer, judge: Check['judge']): Capability {
  if (answer.status !== 200)
    return {name, isSupported: false, detail: `${answer.status}: ${reasonOf(answer)}`}
  const wrong = judge(answer)
  if (wrong === undefined)
    return {name, isSupported: null, detail: 'taken, but the model called one tool alone'}
  return wrong === null ? {name, isSupported: true, detail: ''} : {name, isSupported: false, detail: wrong}
}

/** Null where there is no JSON: a server under test may answer anything. */
function documentOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function bodyOf({text}: HttpAnswer): Body | null {
  return documentOf(text) as Body | null
}

function firstMessage(answer: HttpAnswer): Message | null {
  return bodyOf(answer)?.choices?.[0]?.message ?? null
}

function judgeCalls(answer: HttpAnswer): string | null {
  const calls = firstMessage(answer)?.tool_calls ?? []
  if (calls.length === 0) return 'no tool was called'
  return calls.every(call => call.function?.name === 'get_weather') ? null : 'another tool was called'
}

function judgeJson(answer: HttpAnswer, isWanted: (value: unknown) => boolean): string | null {
  const text = firstMessage(answer)?.content ?? ''
  const value = documentOf(text)
  if (value === null) return `no JSON: ${text.slice(0, 60)}`
  return isWanted(value) ? null : `another shape: ${text.slice(0, 60)}`
}

interface StreamChunk {
  readonly usage?: unknown
  readonly choices?: readonly unknown[]
}

function chunksOf({text}: HttpAnswer): StreamChunk[] {
  return text.split('\n').flatMap(line => {
    const data = /^data: ?(\{.*)$/.exec(line)?.[1]
    const chunk = data === undefined ? null : documentOf(data)
    return chunk === null ? [] : [chunk as StreamChunk]
  })
}

function judgeStream(answer: HttpAnswer): string | null {
  if (!answer.contentType.startsWith('text/event-stream')) return `answered as ${answer.contentType}`
  if (!/^data: ?\[DONE\]/m.test(answer.text)) return 'the stream has no [DONE]'
  return chunksOf(answer).some(({choices}) => (choices?.length ?? 0) > 0) ? null : 'no chunk'
}

function reasonOf(answer: HttpAnswer): string {
  return (errorMessage(documentOf(answer.text)) ?? answer.text).replaceAll(/\s+/g, ' ').slice(0, 200)
}
