/**
 * A server of its own process that streams made-up answers at known times and writes down when it really did. Not part of
 * the program: the yardstick that the load generator is held to.
 *
 *   node truth-server.js '{"ttftMs":50,"gapMs":5,"tokens":16,"modes":["ok","http_500"],"log":"/tmp/truth.jsonl"}'
 *
 * prints one line `{"port"}` and then serves until its stdin ends.
 */
import {on, once} from 'node:events'
import {createWriteStream, type WriteStream} from 'node:fs'
import {connect, createServer, type AddressInfo, type Server, type Socket} from 'node:net'
import {fileURLToPath} from 'node:url'
import {requestsOn} from './requests-on.js'

/** How one request is answered; requests take the modes in turn, in the order of arrival. */
export const TRUTH_MODES = [
  'ok',
  /** A role chunk at once, long before the first text. */
  'role_first',
  /** Empty deltas, comments and other fields between the tokens. */
  'noise',
  /** Three tokens a chunk, the rest in the last; counted in every chunk for a client that asks so. */
  'several_tokens',
  /** The same, the rest in the first. */
  'several_ids',
  /** Two chunks of reasoning before the answer. */
  'reasoning',
  /** A tool call: its name, then its arguments in pieces. */
  'tool_call',
  /** One token, then the end. */
  'single_token',
  /** Usage in every chunk; every second one has no text, because a parser keeps it. */
  'hidden_text',
  /** All events in one write. */
  'one_write',
  /** Every event in pieces of seven bytes. */
  'many_writes',
  /** Neither usage nor [DONE]. */
  'no_usage',
  /** `connection: close`, delimited by the close. */
  'close_delimited',
  /** Closes the connection after the answer, unannounced. */
  'close_after',
  'http_500',
  'http_429',
  /** The same with the wait as a fraction of seconds. */
  'http_503',
  'http_404',
  'redirect',
  /** A stream that breaks off by FIN after three tokens. */
  'cut',
  /** The same by RST. */
  'reset',
  /** Closed without a byte. */
  'silent_close',
  /** Three tokens, then nothing more. */
  'stall',
  /** Nothing at all. */
  'mute',
  'garbage',
  'bad_event',
  'error_event',
  'empty_stream',
] as const
export type TruthMode = (typeof TRUTH_MODES)[number]

export interface TruthOptions {
  readonly ttftMs: number
  readonly gapMs: number
  readonly tokens: number
  readonly modes: readonly TruthMode[]
  /** The only model that it lists. */
  readonly model?: string
  /** Refuses every POST without this bearer token with 401. */
  readonly apiKey?: string
  /** Has a `/tokenize`: a word is a token, and a chat template adds four. */
  readonly tokenizes?: boolean
  /** Says nowhere how many tokens an answer has. */
  readonly hidesUsage?: boolean
  /** Runs its own code before it serves, so that the first answers do not wait for a compiler: a yardstick for times. */
  readonly isWarm?: boolean
  /** JSON lines of `TruthEntry`; null writes none. */
  readonly log: string | null
}

/** What the server did for one request, also when the client left before its end. Instants are ms of the machine's monotonic clock. */
export interface TruthEntry {
  readonly requestId: string
  readonly mode: TruthMode
  readonly receivedMs: number
  /** When each token-bearing event was handed to the socket. */
  readonly tokenMs: readonly number[]
  /** Tokens in each of them. */
  readonly tokensIn: readonly number[]
  /** When that call returned: the bytes were on their way before. */
  readonly writtenMs: readonly number[]
  /** Tokens that the usage chunk states. */
  readonly tokens: number
  readonly promptTokens: number
  readonly prompt: string
  /** What it generated: reasoning, answer, name and arguments of a call, each by itself. */
  readonly generated: readonly string[]
  /** The whole request as it was read. */
  readonly body: Readonly<Record<string, unknown>>
  readonly headers: string
  readonly port: number
}

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6

/** What is due is done a little at a time: a request that comes meanwhile is read, and stamped, before the rest. */
const DUE_AT_ONCE = 4
const due: (() => void)[] = []

function after(ms: number, act: () => void): void {
  setTimeout(() => {
    if (due.push(act) === 1) setImmediate(doDue)
  }, ms)
}

function doDue(): void {
  for (const act of due.splice(0, DUE_AT_ONCE)) act()
  if (due.length > 0) setImmediate(doDue)
}

function event(value: unknown): string {
  return `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`
}

function chunk(
  delta: unknown,
  finishReason: string | null = null,
  usage?: object,
  tokenIds: readonly number[] | null = null,
): string {
  return event({
    id: 'chatcmpl-truth',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'truth',
    choices: [{index: 0, delta, logprobs: null, finish_reason: finishReason, token_ids: tokenIds}],
    ...(usage && {usage}),
  })
}

interface PromptBody {
  readonly messages?: readonly {readonly content: string | null}[]
  readonly prompt?: string
}

const TEMPLATE_TOKENS = 4

/** A word is a token. */
function promptTokens({messages, prompt}: PromptBody): number {
  const texts = messages?.map(({content}) => content ?? '') ?? [prompt ?? '']
  return texts.reduce((sum, text) => sum + text.split(' ').length, TEMPLATE_TOKENS)
}

class Answer {
  readonly #socket: Socket
  readonly #options: TruthOptions
  readonly #mode: TruthMode
  readonly #finish: (entry: TruthEntry) => void
  readonly #receivedMs = nowMs()
  readonly #tokenMs: number[] = []
  readonly #writtenMs: number[] = []
  readonly #tokensIn: number[] = []
  #tokensDone = 0
  readonly #countsChunks: boolean
  readonly #requestId: string
  readonly #promptTokens: number
  readonly #prompt: string
  readonly #generated = new Map<string, string>()
  readonly #asked: Pick<TruthEntry, 'body' | 'headers'>
  readonly #isChunked: boolean
  readonly #maxTokens: number

  constructor(
    socket: Socket,
    options: TruthOptions,
    mode: TruthMode,
    request: {requestId: string; headers: string; body: string},
    finish: (entry: TruthEntry) => void,
  ) {
    this.#socket = socket
    this.#options = options
    this.#mode = mode
    this.#finish = finish
    this.#requestId = request.requestId
    const body = JSON.parse(request.body) as PromptBody & {
      max_tokens?: number
      stream_options?: {continuous_usage_stats?: boolean}
    }
    this.#countsChunks = body.stream_options?.continuous_usage_stats === true
    this.#asked = {body: body as Record<string, unknown>, headers: request.headers}
    this.#prompt = body.messages?.[0]?.content ?? body.prompt ?? ''
    this.#promptTokens = promptTokens(body) - (options.tokenizes === true ? 0 : TEMPLATE_TOKENS)
    const wanted = Math.min(options.tokens, body.max_tokens ?? Infinity)
    this.#maxTokens = mode === 'single_token' ? 1 : wanted
    this.#isChunked = mode !== 'close_delimited'
  }

  start(): void {
    const socket = this.#socket
    switch (this.#mode) {
      case 'http_500':
        this.#whole(500, {error: {message: 'made up', type: 'InternalServerError', code: 500}})
        return
      case 'http_429':
        this.#whole(429, {error: {message: 'too many', code: 429}}, 'retry-after: 1\r\n')
        return
      case 'http_503':
        this.#whole(503, {error: {message: 'busy', code: 503}}, 'retry-after: 2.5\r\n')
        return
      case 'http_404':
        this.#whole(404, {detail: 'Not Found'})
        return
      case 'redirect':
        this.#whole(307, {}, 'location: /elsewhere\r\n')
        return
      case 'silent_close':
        this.#log()
        socket.end()
        return
      case 'mute':
        this.#log()
        return
      case 'garbage':
        this.#log()
        socket.write('220 mail.example ESMTP\r\n\r\n')
        return
      case 'empty_stream':
        this.#head()
        this.#body(
          chunk({role: 'assistant', content: ''}) + chunk({}, 'stop') + this.#usage() + event('[DONE]'),
        )
        this.#end()
        return
      case 'one_write':
        this.#head()
        after(this.#options.ttftMs, () => this.#allAtOnce())
        return
      case 'role_first':
        this.#head()
        this.#body(chunk({role: 'assistant', content: ''}))
        break
      default:
        this.#head()
    }
    after(this.#options.ttftMs, () => this.#token(0))
  }

  #token(index: number): void {
    const {gapMs} = this.#options
    if (this.#socket.destroyed) {
      this.#log()
      return
    }
    const mode = this.#mode
    if (index === 3 && this.#breakOff(mode)) return
    const inChunk = this.#tokensOf(index)
    const isLast = this.#tokensDone + inChunk >= this.#maxTokens
    if (mode === 'noise')
      this.#body(': ping\n\n' + chunk({content: ''}) + 'event: message\nid: 7\nretry: 10\n')
    this.#tokensDone += inChunk
    this.#tokensIn.push(inChunk)
    this.#tokenMs.push(nowMs())
    this.#body(this.#tokenChunk(index, index % 5 === 3 ? ` "é\\${index}\n` : ` t${index}`))
    this.#writtenMs.push(nowMs())
    if (isLast) this.#finishStream()
    else after(gapMs, () => this.#token(index + 1))
  }

  /** How many the chunk at hand brings. */
  #tokensOf(index: number): number {
    const left = this.#maxTokens - this.#tokensDone
    if (this.#mode === 'several_tokens') return Math.min(3, left)
    if (this.#mode === 'several_ids') return index === 0 && left % 3 > 0 ? left % 3 : Math.min(3, left)
    return 1
  }

  #runningUsage(): object {
    const [prompt, completion] = [this.#promptTokens, this.#tokensDone]
    return {prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion}
  }

  #tokenChunk(index: number, text: string): string {
    switch (this.#mode) {
      case 'reasoning':
        this.#says(index < 2 ? 'reasoning' : 'answer', text)
        return chunk(index < 2 ? {reasoning_content: text} : {content: text})
      case 'tool_call': {
        const call = index === 0 ? {name: 'clock', arguments: ''} : {arguments: `"${index}"`}
        this.#says('call', (call.name ?? '') + call.arguments)
        return chunk({tool_calls: [{index: 0, id: 'call-1', type: 'function', function: call}]})
      }
      case 'hidden_text':
        this.#says('answer', index % 2 === 0 ? text : '')
        return chunk({content: index % 2 === 0 ? text : ''}, null, this.#runningUsage())
      case 'several_tokens':
        this.#says('answer', text)
        return chunk({content: text}, null, this.#countsChunks ? this.#runningUsage() : undefined)
      case 'several_ids': {
        this.#says('answer', text)
        const ids = Array.from({length: this.#tokensIn.at(-1)!}, (_, place) => 10 * index + place)
        return chunk({content: text}, null, undefined, ids)
      }
      default:
        this.#says('answer', text)
        return chunk({content: text})
    }
  }

  #says(part: string, text: string): void {
    this.#generated.set(part, (this.#generated.get(part) ?? '') + text)
  }

  /** @returns whether the stream ends here */
  #breakOff(mode: TruthMode): boolean {
    switch (mode) {
      case 'cut':
        this.#log()
        this.#socket.end()
        return true
      case 'reset':
        this.#log()
        this.#socket.resetAndDestroy()
        return true
      case 'stall':
        this.#log()
        return true
      case 'bad_event':
        this.#body(event('{"choices": [{'))
        this.#log()
        return true
      case 'error_event':
        this.#body(
          event({error: {message: 'the engine died', type: 'internal', code: 500}}) + event('[DONE]'),
        )
        this.#end()
        return true
      default:
        return false
    }
  }

  #allAtOnce(): void {
    const at = nowMs()
    const said = Array.from({length: this.#maxTokens}, (_, i) => ` t${i}`)
    this.#says('answer', said.join(''))
    const texts = said.map(content => chunk({content}))
    this.#tokenMs.push(...texts.map(() => at))
    this.#tokensIn.push(...texts.map(() => 1))
    this.#body(texts.join('') + chunk({}, 'length') + this.#usage() + event('[DONE]'))
    this.#end()
  }

  #finishStream(): void {
    const usage = this.#mode === 'no_usage' ? '' : this.#usage() + event('[DONE]')
    if (this.#mode !== 'many_writes') this.#socket.cork()
    this.#body(chunk({}, 'length') + usage)
    this.#end()
    this.#socket.uncork()
  }

  #usage(): string {
    if (this.#options.hidesUsage === true) return ''
    const [prompt, completion] = [this.#promptTokens, this.#tokens()]
    const usage = {prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion}
    return event({id: 'chatcmpl-truth', choices: [], usage})
  }

  #tokens(): number {
    return this.#mode === 'empty_stream' ? 0 : this.#maxTokens
  }

  #head(): void {
    const framing = this.#isChunked ? 'transfer-encoding: chunked' : 'connection: close'
    this.#socket.write(
      `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n${framing}\r\n\r\n`,
    )
  }

  #body(text: string): void {
    const length = Buffer.byteLength(text).toString(16)
    const framed = Buffer.from(this.#isChunked ? `${length}\r\n${text}\r\n` : text)
    if (this.#mode !== 'many_writes') {
      this.#socket.write(framed)
      return
    }
    for (let at = 0; at < framed.length; at += 7) this.#socket.write(framed.subarray(at, at + 7))
  }

  #end(): void {
    this.#log()
    if (this.#isChunked) this.#socket.write('0\r\n\r\n')
    if (!this.#isChunked || this.#mode === 'close_after') this.#socket.end()
  }

  #whole(status: number, document: unknown, headers = ''): void {
    this.#log()
    const body = JSON.stringify(document)
    this.#socket.write(
      `HTTP/1.1 ${status} X\r\ncontent-type: application/json\r\n${headers}content-length: ${body.length}\r\n\r\n${body}`,
    )
  }

  #log(): void {
    this.#finish({
      requestId: this.#requestId,
      mode: this.#mode,
      receivedMs: this.#receivedMs,
      tokenMs: this.#tokenMs,
      tokensIn: this.#tokensIn,
      writtenMs: this.#writtenMs,
      tokens: this.#tokens(),
      promptTokens: this.#promptTokens,
      prompt: this.#prompt,
      generated: [...this.#generated.values()],
      ...this.#asked,
      port: this.#socket.remotePort ?? 0,
    })
  }
}

/** Serves until stdin ends. */
async function serve(options: TruthOptions): Promise<void> {
  const log: WriteStream | null = options.log === null ? null : createWriteStream(options.log)
  if (options.isWarm === true) await warmUp(options)
  let done: TruthEntry[] = []
  const writeDown = (): void => {
    log?.write(done.map(entry => `${JSON.stringify(entry)}\n`).join(''))
    done = []
  }
  const server = await listen(options, entry => {
    // Not while it answers: writing takes time that a client would be blamed for.
    if (done.push(entry) >= KEPT_ENTRIES) writeDown()
  })
  process.stdout.write(`${JSON.stringify({port: portOf(server)})}\n`)
  process.stdin.resume().on('end', () => {
    writeDown()
    if (log === null) process.exit(0)
    else log.end(() => process.exit(0))
  })
}
const KEPT_ENTRIES = 5000

async function listen(options: TruthOptions, finish: (entry: TruthEntry) => void): Promise<Server> {
  let count = 0
  const server = createServer({noDelay: true}, socket => {
    requestsOn(socket, (head, body) => {
      if (head.startsWith('GET ')) {
        getPage(socket, head, options.model ?? 'truth')
      } else if (head.startsWith('POST /tokenize ')) {
        const count = promptTokens(JSON.parse(body) as PromptBody)
        const answer = options.tokenizes === true ? JSON.stringify({count}) : '{}'
        socket.write(`HTTP/1.1 200 X\r\ncontent-length: ${answer.length}\r\n\r\n${answer}`)
      } else if (options.apiKey !== undefined && !head.includes(`Bearer ${options.apiKey}`)) {
        socket.write('HTTP/1.1 401 X\r\ncontent-length: 0\r\n\r\n')
      } else {
        const mode = options.modes[count++ % options.modes.length]!
        const requestId = /x-request-id: (\S+)/i.exec(head)?.[1] ?? ''
        new Answer(socket, options, mode, {requestId, headers: head, body}, finish).start()
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

const [WARM_CONNECTIONS, WARM_ANSWERS, WARM_TOKENS] = [16, 30, 16]

/** Answers requests of its own, of which nobody hears. */
async function warmUp(options: TruthOptions): Promise<void> {
  const server = await listen({...options, modes: ['ok'], ttftMs: 1, gapMs: 0}, () => undefined)
  const body = JSON.stringify({messages: [{content: 'warm up'}], max_tokens: WARM_TOKENS})
  const request = `POST / HTTP/1.1\r\nx-request-id: warm\r\nauthorization: Bearer ${options.apiKey ?? ''}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  const client = async (): Promise<void> => {
    const socket = connect(portOf(server), '127.0.0.1')
    for (let answer = 0; answer < WARM_ANSWERS; answer++) {
      socket.write(request)
      for await (const [bytes] of on(socket, 'data')) if ((bytes as Buffer).includes('[DONE]')) break
    }
    socket.destroy()
  }
  await Promise.all(Array.from({length: WARM_CONNECTIONS}, client))
  server.close()
}

function getPage(socket: Socket, head: string, model: string): void {
  const isModels = head.startsWith('GET /v1/models ')
  const body = JSON.stringify(isModels ? {object: 'list', data: [{id: model, max_model_len: 100_000}]} : {})
  socket.write(
    `HTTP/1.1 ${isModels ? 200 : 404} X\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await serve(JSON.parse(process.argv[2] ?? '{}') as TruthOptions)
}
