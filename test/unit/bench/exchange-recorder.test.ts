import {expect} from 'chai'
import fc from 'fast-check'
import {
  ExchangeRecorder,
  NOBODY,
  type AnswerTexts,
  type RequestIdentity,
} from '../../../src/lib/bench/exchange-recorder.js'
import {partsOf} from '../../../src/lib/bench/generated-text.js'
import {ResponseError} from '../../../src/lib/bench/response-error.js'
import {isTokenBearing, type StreamChunk} from '../../../src/lib/openai/index.js'
import type {RequestRecord} from '../../../src/lib/runs/index.js'

const HEAD = {status: 200, contentType: 'text/event-stream', retryAfter: ''}
const event = (value: unknown): string =>
  `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`
const chunk = (delta: object, rest: object = {}): object => ({
  id: 'x',
  choices: [{index: 0, delta, finish_reason: null, ...rest}],
})
const usage = (completion: number): object => ({
  choices: [],
  usage: {prompt_tokens: 3, completion_tokens: completion, total_tokens: completion + 3},
})

/** Records an answer whose pieces are read at 10, 20, 30 … ms, sent at 0. */
function record(pieces: readonly string[]): RequestRecord {
  return recordWith({}, pieces).record
}

function recordWith(
  wishes: Partial<RequestIdentity>,
  pieces: readonly string[],
  head = HEAD,
): {record: RequestRecord; texts: AnswerTexts} {
  const recorder = new ExchangeRecorder({originMs: 1000, instrument: {tokenRead: () => undefined}})
  let result: {record: RequestRecord; texts: AnswerTexts} | null = null
  const identity = {...NOBODY, id: 1, requestId: 'r-1', ...wishes}
  recorder.begin(identity, 1000, (one, texts) => (result = {record: one, texts}))
  recorder.sent(1000, null)
  recorder.read(1000, 0)
  recorder.head(head)
  try {
    for (const [i, piece] of pieces.entries()) {
      recorder.read(1000 + 10 * (i + 1), 0)
      const bytes = Buffer.from(piece)
      recorder.body(bytes, 0, bytes.length)
      bytes.fill(0)
    }
    recorder.done()
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error
    recorder.failed(error.failure, error.message)
  }
  return result!
}

describe('ExchangeRecorder', () => {
  it('stops the TTFT clock at the first text, not at the role', () => {
    const {roleAtMs, firstTokenAtMs, lastTokenAtMs, gapsUs, outcome} = record([
      event(chunk({role: 'assistant', content: ''})),
      event(chunk({content: 'a'})),
      event(chunk({content: 'b'})),
      event(chunk({content: 'c'})) + event(chunk({}, {finish_reason: 'stop'})) + event('[DONE]'),
    ])
    expect({roleAtMs, firstTokenAtMs, lastTokenAtMs, outcome}).to.deep.equal({
      roleAtMs: 10,
      firstTokenAtMs: 20,
      lastTokenAtMs: 40,
      outcome: 'ok',
    })
    expect([...gapsUs]).to.deep.equal([10_000, 10_000])
  })

  it('takes the token counts from usage, and from the chunks only without it', () => {
    const text = event(chunk({content: 'three words here'}))
    const end = event(chunk({}, {finish_reason: 'stop'}))
    expect(record([text, end, event(usage(3))])).to.include({completionTokens: 3, tokensSource: 'usage'})
    expect(record([text, end])).to.include({completionTokens: 1, tokensSource: 'chunks'})
  })

  it('does not count the total that comes with the finish reason as a token', () => {
    const last = {...chunk({}, {finish_reason: 'stop'}), usage: {prompt_tokens: 1, completion_tokens: 1}}
    expect(record([event(chunk({content: 'a'})), event(last)]).chunkCount).to.equal(1)
  })

  it('counts a token whose text a parser of the server swallowed', () => {
    const growing = (count: number, delta: object): string =>
      event({...chunk(delta), usage: {prompt_tokens: 1, completion_tokens: count}})
    const pieces = [growing(1, {content: 'a'}), growing(2, {}), growing(2, {}), growing(3, {content: 'b'})]
    expect(record([...pieces, event('[DONE]')])).to.include({chunkCount: 3, completionTokens: 3})
  })

  it('counts exactly the token-bearing chunks, whatever is between them and however they are cut', () => {
    const text = fc.oneof(
      fc.string({unit: 'grapheme'}),
      fc.constantFrom('', '"', '\\', '","finish_reason":"x', ' a'),
    )
    const parts = fc.oneof(
      text.map(content => chunk({content})),
      text.map(reasoning => chunk({content: null, reasoning})),
      text.map(content => chunk({content, role: 'assistant'}, {logprobs: {content: [{token: 'x'}]}})),
      text.map(name => chunk({tool_calls: [{index: 0, function: {name, arguments: ''}}]})),
      text.map(completion => ({choices: [{index: 0, text: completion, finish_reason: null}]})),
      fc.constant(chunk({})),
    )
    fc.assert(
      fc.property(fc.array(parts, {maxLength: 30}), fc.array(fc.nat(3000)), (chunks, cuts) => {
        const bytes = Buffer.from(`${chunks.map(event).join('')}${event('[DONE]')}`).toString('latin1')
        const places = [...new Set([0, ...cuts.map(cut => cut % bytes.length), bytes.length])].sort(
          (a, b) => a - b,
        )
        const recorder = new ExchangeRecorder({originMs: 0, instrument: {tokenRead: () => undefined}})
        let result: RequestRecord | null = null
        const identity = {...NOBODY, id: 1}
        recorder.begin(identity, 0, done => (result = done))
        recorder.read(0, 0)
        recorder.head(HEAD)
        for (let i = 1; i < places.length; i++) {
          const piece = Buffer.from(bytes.slice(places[i - 1], places[i]), 'latin1')
          recorder.body(piece, 0, piece.length)
        }
        recorder.done()
        const expected = chunks.filter(part => isTokenBearing(part as StreamChunk, 0)).length
        expect(result!).to.include({chunkCount: expected, outcome: expected === 0 ? 'empty' : 'ok'})
      }),
      {numRuns: 500},
    )
  })

  it('tells an error in the stream, a cut stream and an empty one apart', () => {
    const text = event(chunk({content: 'a'}))
    expect(record([text, event({error: {message: 'no memory'}})])).to.include({
      outcome: 'stream_error',
      error: 'no memory',
    })
    expect(record([text]).outcome).to.equal('truncated')
    expect(record([event('[DONE]')]).outcome).to.equal('empty')
    expect(record([text, event('{"choices":')]).outcome).to.equal('invalid_response')
    expect(record([text, event({object: 'nothing known'})]).outcome).to.equal('stream_error')
  })

  describe('keeps what was generated,', () => {
    const WHOLE = {status: 200, contentType: 'application/json', retryAfter: ''}
    const generated = (pieces: readonly string[], head = HEAD, isStreamed = true): string[] =>
      partsOf(recordWith({keepsGenerated: true, isStreamed}, pieces, head).texts.generated!)

    it('as it came, however it is escaped and cut into chunks', () => {
      const text = fc.array(fc.string({unit: 'grapheme', minLength: 1}), {minLength: 1, maxLength: 12})
      fc.assert(
        fc.property(text, fc.boolean(), (texts, escapesAll) => {
          const escaped = (value: object): string => {
            const json = JSON.stringify(value)
            // Halves of a pair, each an escape of its own.
            return escapesAll
              ? json.replaceAll(/[^ -~]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
              : json
          }
          const pieces = texts.map(content => `data: ${escaped(chunk({content}))}\n\n`)
          expect(generated([...pieces, event(chunk({}, {finish_reason: 'stop'}))])).to.deep.equal([
            texts.join(''),
          ])
        }),
      )
    })

    it('reasoning, answer and every call by themselves, also where they alternate', () => {
      const call = (index: number, args: string, name?: string): string =>
        event(chunk({tool_calls: [{index, function: {...(name && {name}), arguments: args}}]}))
      const pieces = [
        event(chunk({reasoning_content: 'I '})),
        event(chunk({reasoning_content: 'think'})),
        event(chunk({content: 'so'})),
        event(chunk({reasoning_content: ', or'})),
        event(chunk({reasoning_content: ' not'})),
        call(0, '', 'clock'),
        call(0, '{"zone"'),
        call(1, '', 'map'),
        call(0, ': 1}'),
        event(chunk({content: ' be it'})) + event(chunk({}, {finish_reason: 'tool_calls'})),
      ]
      expect(generated(pieces)).to.deep.equal(['I think, or not', 'so be it', 'clock{"zone": 1}', 'map'])
    })

    it('of every choice', () => {
      const of = (index: number, content: string): string =>
        event({choices: [{index, delta: {content}, finish_reason: null}]})
      const pieces = [of(0, 'a'), of(1, 'x'), of(0, 'b'), of(1, 'y'), of(0, 'c'), event('[DONE]')]
      expect(generated(pieces)).to.deep.equal(['abc', 'xy'])
    })

    it('of an answer that is not streamed', () => {
      const message = {content: 'yes', reasoning: 'hm', tool_calls: [{function: {name: 'f', arguments: '{}'}}, {function: {name: 'g'}}]} // prettier-ignore
      const body = JSON.stringify({choices: [{index: 0, message, finish_reason: 'stop'}]})
      expect(generated([body], WHOLE, false)).to.deep.equal(['yes', 'hm', 'f{}', 'g'])
    })

    it('and nothing where nobody asks for it', () => {
      expect(recordWith({}, [event(chunk({content: 'a'}))]).texts.generated).to.equal(null)
    })
  })
})
