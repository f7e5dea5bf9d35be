import type {Failure, Outcome, Phase, RequestRecord, TokensSource} from '../runs/index.js'
import {readAnswerChunk, type AnswerChunk, type TokenCounts} from './answer-chunk.js'
import {ChunkTemplate} from './chunk-template.js'
import {EventScanner} from './event-scanner.js'
import {GeneratedText} from './generated-text.js'
import type {InstrumentMeter} from './instrument.js'
import type {ExchangeListener} from './load-transport.js'
import {ResponseError} from './response-error.js'
import type {ResponseHead} from './response-reader.js'

/** Whole answers and error bodies are kept up to here. */
const MAX_BODY_BYTES = 32 * 1024 * 1024
const MAX_ERROR_CHARS = 500
const DONE = Buffer.from('[DONE]')

/** Who a request is; known before it is sent. */
export interface RequestIdentity {
  readonly id: number
  readonly requestId: string
  readonly traceId: string
  readonly phase: Phase
  /** Id of the first request of its conversation. */
  readonly session: number
  readonly turn: number
  /** Place of its server. */
  readonly server: number
  readonly isStreamed: boolean
  /** Its answer is wanted as text, which costs time for every chunk. */
  readonly keepsText: boolean
  /** All that was generated is wanted, to be counted once it is there. */
  readonly keepsGenerated: boolean
}

/** For what no request of a run is. */
export const NOBODY: RequestIdentity = {
  id: 0,
  requestId: '',
  traceId: '',
  phase: 'measure',
  session: 0,
  turn: 0,
  server: 0,
  isStreamed: true,
  keepsText: false,
  keepsGenerated: false,
}

/** What is kept of an answer beside its figures; null where it is not. */
export interface AnswerTexts {
  /** What it said, reasoning left out. */
  readonly said: string | null
  /** All that was generated, for `partsOf`. */
  readonly generated: Uint8Array | null
}

type OnRecord = (record: RequestRecord, texts: AnswerTexts) => void

export interface RecorderParts {
  /** `performance.now()` of the run's origin. */
  readonly originMs: number
  /** Hears the bound of every token's read delay. */
  readonly instrument: Pick<InstrumentMeter, 'tokenRead'>
}

/**
 * Keeps what one request's exchange was: instants in ms of one clock, gaps in a typed array, and text only of what is not
 * plain generated text. One recorder serves one request after another; nothing is allocated per chunk.
 */
export class ExchangeRecorder implements ExchangeListener {
  readonly #parts: RecorderParts
  readonly #scanner = new EventScanner((bytes, start, end) => this.#event(bytes, start, end))
  readonly #template = new ChunkTemplate()
  #identity: RequestIdentity = NOBODY
  // Fractions from the start: a field that turns from whole numbers to fractions makes another kind of object of it, and code that
  // was compiled for the first kind is thrown away.
  #nowMs = NaN
  #readDelayMs = NaN

  #scheduledAtMs = NaN
  #sentAtMs: number | null = null
  #headAtMs: number | null = null
  #firstByteAtMs: number | null = null
  #roleAtMs: number | null = null
  #firstTokenAtMs: number | null = null
  #answerAtMs: number | null = null
  #lastTokenAtMs: number | null = null
  #connectMs: number | null = null
  #status = 0
  #isEventStream = false
  #body: Buffer[] = []
  #bodyBytes = 0
  #gaps = new Uint32Array(256)
  /** Tokens in each chunk, 0 where nothing says them. */
  #tokensIn = new Uint32Array(256)
  #unknownChunks = 0
  #chunksWithIds = 0
  #chunkCount = 0
  /** What the chunk that the template was learnt from was. */
  #learnt: Pick<AnswerChunk, 'isAnswer' | 'tokens'> = {isAnswer: true, tokens: null}
  #retryAfterMs: number | null = null
  #usage: TokenCounts | null = null
  #finishReason: string | null = null
  #sawDone = false
  #streamError: string | null = null

  #text = ''
  readonly #generated = new GeneratedText()
  #onRecord: OnRecord = () => undefined

  constructor(parts: RecorderParts) {
    this.#parts = parts
  }

  /** @param scheduledMs `performance.now()` when the arrival process wanted it sent */
  begin(identity: RequestIdentity, scheduledMs: number, onRecord: OnRecord): void {
    this.#identity = identity
    this.#onRecord = onRecord
    this.#scheduledAtMs = scheduledMs - this.#parts.originMs
    this.#sentAtMs = this.#headAtMs = this.#firstByteAtMs = this.#roleAtMs = null
    this.#firstTokenAtMs =
      this.#answerAtMs =
      this.#lastTokenAtMs =
      this.#connectMs =
      this.#retryAfterMs =
        null
    this.#status = this.#bodyBytes = this.#chunkCount = this.#unknownChunks = this.#chunksWithIds = 0
    this.#isEventStream = this.#sawDone = false
    this.#usage = this.#finishReason = this.#streamError = null
    this.#body = []
    this.#text = ''
    this.#generated.clear()
    this.#scanner.reset()
    this.#template.reset()
  }

  sent(atMs: number, connectMs: number | null): void {
    this.#sentAtMs = atMs - this.#parts.originMs
    this.#connectMs = connectMs
  }

  read(atMs: number, delayMs: number): void {
    this.#nowMs = atMs - this.#parts.originMs
    this.#readDelayMs = delayMs
  }

  head(head: ResponseHead): void {
    this.#headAtMs = this.#nowMs
    this.#status = head.status
    this.#retryAfterMs = waitMs(head.retryAfter)
    this.#isEventStream = head.status === 200 && head.contentType === 'text/event-stream'
  }

  body(bytes: Buffer, start: number, end: number): void {
    this.#firstByteAtMs ??= this.#nowMs
    this.#bodyBytes += end - start
    if (this.#isEventStream) {
      this.#scanner.feed(bytes, start, end)
    } else if (this.#bodyBytes > MAX_BODY_BYTES) {
      throw new ResponseError('invalid_response', `the answer exceeds ${MAX_BODY_BYTES} bytes`)
    } else {
      this.#body.push(Buffer.from(bytes.subarray(start, end)))
    }
  }

  get hasToken(): boolean {
    return this.#chunkCount > 0
  }

  done(): void {
    this.#tell(this.#judge())
  }

  failed(failure: Failure, message: string): void {
    // A server that says what is wrong and then cuts the line has said what is wrong.
    const isSaid = this.#streamError !== null && (failure === 'truncated' || failure === 'reset')
    this.#tell(
      isSaid ? this.#record('stream_error', this.#streamError!, null) : this.#record(failure, message, null),
    )
  }

  #tell(record: RequestRecord): void {
    const {keepsText, keepsGenerated} = this.#identity
    this.#onRecord(record, {
      said: keepsText ? this.#text : null,
      generated: keepsGenerated ? this.#generated.take() : null,
    })
  }

  #judge(): RequestRecord {
    const doneAtMs = this.#nowMs
    try {
      if (this.#isEventStream) this.#scanner.finish()
      const [outcome, error] = this.#isEventStream ? this.#judgeStream() : this.#judgeWhole()
      return this.#record(outcome, error, doneAtMs)
    } catch (error) {
      if (error instanceof ResponseError) return this.#record(error.failure, error.message, doneAtMs)
      throw error
    }
  }

  #event(bytes: Buffer, start: number, end: number): void {
    if (!this.#identity.keepsText && this.#template.matches(bytes, start, end)) {
      if (this.#identity.keepsGenerated)
        this.#generated.append(bytes, start + this.#template.before, end - this.#template.after)
      this.#token(this.#learnt, this.#learnt.tokens?.count ?? 0)
      return
    }
    if (end - start === DONE.length && bytes.compare(DONE, 0, DONE.length, start, end) === 0) {
      this.#sawDone = true
      return
    }
    const chunk = readAnswerChunk(bytes.toString('utf8', start, end), this.#usage)
    if (chunk === null) {
      throw new ResponseError(
        'invalid_response',
        `an event that is no JSON object: ${excerpt(bytes, start, end)}`,
      )
    }
    this.#takeChunk(chunk)
    if (chunk.isToken && chunk.usage === null && chunk.finishReason === null)
      this.#learn(chunk, bytes, start, end)
  }

  #learn(chunk: AnswerChunk, bytes: Buffer, start: number, end: number): void {
    if (this.#identity.keepsGenerated) {
      const [part, ...others] = chunk.generated()
      if (part === undefined || others.length > 0) return
      this.#generated.learn(part)
    }
    this.#template.learn(bytes, start, end)
    this.#learnt = {isAnswer: chunk.isAnswer, tokens: chunk.tokens}
  }

  #hear(chunk: AnswerChunk): void {
    if (this.#identity.keepsText) this.#text += chunk.text
    if (this.#identity.keepsGenerated) this.#generated.add(chunk.generated())
  }

  #takeChunk(chunk: AnswerChunk): void {
    if (chunk.error !== null) this.#streamError ??= chunk.error
    else if (!chunk.hasChoices && chunk.usage === null)
      this.#streamError ??= 'an event without choices and usage'
    const seen = this.#usage?.completionTokens ?? 0
    if (chunk.usage !== null) this.#usage = chunk.usage
    this.#hear(chunk)
    if (chunk.finishReason !== null) this.#finishReason = chunk.finishReason
    // Usage that grows with the stream counts every token; ids and logprobs may be cut away with a text.
    const grown = chunk.usage?.completionTokens == null ? null : chunk.usage.completionTokens - seen
    if (chunk.isToken) this.#token(chunk, grown ?? chunk.tokens?.count ?? 0)
    else if (chunk.hasChoices && chunk.finishReason === null) this.#roleAtMs ??= this.#nowMs
  }

  /** @param tokens that it brought, 0 when nothing says so */
  #token({isAnswer, tokens: told}: Pick<AnswerChunk, 'isAnswer' | 'tokens'>, tokens: number): void {
    const nowMs = this.#nowMs
    const count = this.#chunkCount++
    this.#parts.instrument.tokenRead(this.#readDelayMs, count === 0)
    if (isAnswer) this.#answerAtMs ??= nowMs
    if (tokens <= 0) this.#unknownChunks++
    if (told?.areIds === true) this.#chunksWithIds++
    if (count === this.#tokensIn.length) this.#tokensIn = doubled(this.#tokensIn)
    this.#tokensIn[count] = Math.max(0, tokens)
    if (this.#lastTokenAtMs === null) {
      this.#firstTokenAtMs = nowMs
    } else {
      if (count > this.#gaps.length) this.#gaps = doubled(this.#gaps)
      // Differences of rounded instants: the gaps then add up to the whole without drift.
      const sinceFirst = (ms: number): number => Math.round((ms - this.#firstTokenAtMs!) * 1000)
      this.#gaps[count - 1] = sinceFirst(nowMs) - sinceFirst(this.#lastTokenAtMs)
    }
    this.#lastTokenAtMs = nowMs
  }

  /** Null unless every chunk said its tokens, and together they are what the server counted. */
  #chunkTokens(): Uint32Array | null {
    if (this.#chunkCount === 0 || this.#unknownChunks > 0) return null
    const tokens = this.#tokensIn.slice(0, this.#chunkCount)
    const total = this.#usage?.completionTokens ?? null
    return total === null || sumOf(tokens) === total ? tokens : null
  }

  #judgeStream(): [Outcome, string] {
    if (this.#streamError !== null) return ['stream_error', this.#streamError]
    if (!this.#sawDone && this.#finishReason === null) {
      return ['truncated', 'the stream ended without [DONE] and without a finish reason']
    }
    if (this.#chunkCount === 0) return ['empty', 'the stream carried no token']
    return ['ok', '']
  }

  #judgeWhole(): [Outcome, string] {
    const status = this.#status
    const text = Buffer.concat(this.#body).toString('utf8')
    if (status !== 200) return [failureOfStatus(status), `HTTP ${status}${sayingOf(text)}`]
    const answer = readAnswerChunk(text, null)
    if (answer === null) return ['invalid_response', `not a JSON object${sayingOf(text)}`]
    if (answer.error !== null) return ['stream_error', answer.error]
    if (!answer.hasChoices) return ['invalid_response', `an answer without choices${sayingOf(text)}`]
    if (this.#identity.isStreamed) return ['invalid_response', 'a stream was asked for, a whole answer came']
    this.#usage = answer.usage
    this.#hear(answer)
    this.#finishReason = answer.finishReason
    if (!answer.isToken && (answer.usage?.completionTokens ?? 0) === 0)
      return ['empty', 'the answer has no text']
    return ['ok', '']
  }

  #record(outcome: Outcome, error: string, doneAtMs: number | null): RequestRecord {
    const {id, requestId, traceId, phase, session, turn, server} = this.#identity
    const usage = this.#usage
    const isCounted = this.#chunkCount > 0
    const chunkTokens = this.#chunkTokens()
    const idTokens = this.#chunksWithIds === this.#chunkCount ? sumOf(chunkTokens) : null
    const [counted, tokensSource]: [number | null, TokensSource] =
      usage?.completionTokens != null
        ? [usage.completionTokens, 'usage']
        : idTokens !== null
          ? [idTokens, 'token_ids']
          : isCounted
            ? [this.#chunkCount, 'chunks']
            : [null, 'none']
    return {
      id,
      requestId,
      traceId,
      phase,
      session,
      turn,
      server,
      outcome,
      status: this.#status,
      error: error.replaceAll(/\s+/g, ' ').slice(0, MAX_ERROR_CHARS),
      scheduledAtMs: this.#scheduledAtMs,
      sentAtMs: this.#sentAtMs,
      headAtMs: this.#headAtMs,
      firstByteAtMs: this.#firstByteAtMs,
      roleAtMs: this.#roleAtMs,
      firstTokenAtMs: this.#firstTokenAtMs,
      answerAtMs: this.#answerAtMs,
      lastTokenAtMs: this.#lastTokenAtMs,
      doneAtMs,
      connectMs: this.#connectMs,
      gapsUs: this.#gaps.slice(0, Math.max(0, this.#chunkCount - 1)),
      chunkCount: this.#chunkCount,
      chunkTokens,
      firstChunkTokens: chunkTokens?.[0] ?? null,
      promptTokens: usage?.promptTokens ?? null,
      completionTokens: counted,
      cachedTokens: usage?.cachedTokens ?? null,
      reasoningTokens: usage?.reasoningTokens ?? null,
      tokensSource,
      finishReason: this.#finishReason,
      retryAfterMs: this.#retryAfterMs,
      bodyBytes: this.#bodyBytes,
    }
  }
}

function doubled(values: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(values.length * 2)
  larger.set(values)
  return larger
}

function sumOf(tokens: Uint32Array | null): number | null {
  return tokens && tokens.reduce((sum, count) => sum + count, 0)
}

/** Seconds, or a date. @see RFC 9110 §10.2.3 */
function waitMs(retryAfter: string): number | null {
  if (retryAfter === '') return null
  const ms = /^\d+(?:\.\d+)?$/.test(retryAfter)
    ? Number(retryAfter) * 1000
    : Date.parse(retryAfter) - Date.now()
  return Number.isNaN(ms) ? null : Math.max(0, Math.round(ms))
}

/** Redirects are not followed, so anything but 200 and an error status is no answer. */
function failureOfStatus(status: number): Failure {
  if (status === 429) return 'http_429'
  if (status >= 500) return 'http_5xx'
  return status >= 400 ? 'http_4xx' : 'invalid_response'
}

function sayingOf(text: string): string {
  const said = readAnswerChunk(text, null)?.error ?? text.trim()
  return said === '' ? '' : `: ${said.slice(0, 300)}`
}

function excerpt(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('utf8', start, Math.min(end, start + 80))
}
