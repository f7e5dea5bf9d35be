import {expect} from 'chai'
import fc from 'fast-check'
import {ResponseError} from '../../../src/lib/bench/response-error.js'
import {ResponseReader, type ResponseHead} from '../../../src/lib/bench/response-reader.js'

interface Outcome {
  head: ResponseHead | null
  body: string
  isDone: boolean
  isKeptAlive: boolean
  /** Bytes after the response. */
  left: number
  failure: string | null
}

/** Feeds `text` cut at the given places, then the close if asked. */
function read(text: string, cuts: readonly number[] = [], closes = false): Outcome {
  const bytes = Buffer.from(text, 'latin1')
  const outcome: Outcome = {head: null, body: '', isDone: false, isKeptAlive: true, left: 0, failure: null}
  const reader = new ResponseReader({
    head: head => (outcome.head = head),
    body: (part, start, end) => (outcome.body += part.toString('latin1', start, end)),
    end: () => (outcome.isDone = true),
  })
  const places = [...new Set([0, ...cuts.map(cut => cut % (bytes.length + 1)), bytes.length])].sort(
    (left, right) => left - right,
  )
  try {
    for (let i = 1; i < places.length; i++) {
      if (reader.isDone) break
      // As a socket does: the piece lies somewhere in a larger buffer that holds other bytes around it.
      const around = Buffer.alloc(places[i]! - places[i - 1]! + 20, '\n')
      bytes.copy(around, 10, places[i - 1], places[i])
      const end = reader.feed(around, 10, around.length - 10)
      outcome.left = bytes.length - (places[i - 1]! + end - 10)
    }
    if (closes) reader.finish()
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error
    outcome.failure = error.failure
    outcome.left = 0
  }
  outcome.isKeptAlive = reader.isKeptAlive
  return outcome
}

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n'
const RESPONSES: Readonly<Record<string, string>> = {
  length: `${HEAD}content-length: 11\r\n\r\nhello world`,
  chunked: `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`,
  'chunked with extensions and trailers': `${HEAD}transfer-encoding: chunked\r\n\r\n5;a="b"\r\nhello\r\n006 ; x\r\n world\r\n0\r\nx-sum: 1\r\ny: 2\r\n\r\n`,
  'after 1xx responses': `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n${HEAD}content-length: 11\r\n\r\nhello world`,
  'bare line feeds': `${HEAD}content-length: 11\r\n\r\nhello world`.replaceAll('\r\n', '\n'),
  'the same length twice': `${HEAD}content-length: 11\r\ncontent-length: 11\r\n\r\nhello world`,
}

describe('ResponseReader', () => {
  for (const [title, text] of Object.entries(RESPONSES)) {
    it(`reads a response (${title}) wherever its bytes are cut`, () => {
      const whole = read(text)
      expect(whole).to.deep.equal({
        head: {status: 200, contentType: 'text/event-stream', retryAfter: ''},
        body: 'hello world',
        isDone: true,
        isKeptAlive: true,
        left: 0,
        failure: null,
      })
      fc.assert(
        fc.property(fc.array(fc.nat(text.length)), cuts => {
          expect(read(text, cuts)).to.deep.equal(whole)
        }),
        {numRuns: 300},
      )
      expect(read(text, [...Array(text.length).keys()])).to.deep.equal(whole)
    })
  }

  it('takes the close as the end of a body without a length, and as nothing else', () => {
    const text = `${HEAD}\r\nhello`
    expect(read(text)).to.deep.include({body: 'hello', isDone: false, isKeptAlive: false})
    expect(read(text, [], true)).to.deep.include({body: 'hello', isDone: true, failure: null})
    for (const whole of Object.values(RESPONSES)) {
      for (let length = 0; length < whole.length; length++) {
        expect(read(whole.slice(0, length), [], true).failure, whole.slice(0, length)).to.equal('truncated')
      }
    }
  })

  it('gives 204 and 304 no body', () => {
    expect(read('HTTP/1.1 204 No Content\r\n\r\n')).to.deep.include({isDone: true, body: ''})
    expect(read('HTTP/1.1 304 X\r\ncontent-length: 5\r\n\r\n')).to.deep.include({isDone: true, left: 0})
  })

  it('says where the response ended when the server sends more than one', () => {
    expect(read(`${RESPONSES['length']!}HTTP/1.1 200`).left).to.equal('HTTP/1.1 200'.length)
  })

  it('knows when the connection may serve again', () => {
    const answer = (version: string, connection: string): Outcome =>
      read(`HTTP/${version} 200 OK\r\n${connection}content-length: 0\r\n\r\n`)
    expect(answer('1.1', '').isKeptAlive).to.equal(true)
    expect(answer('1.1', 'connection: Close\r\n').isKeptAlive).to.equal(false)
    expect(answer('1.0', '').isKeptAlive).to.equal(false)
    expect(answer('1.0', 'connection: keep-alive\r\n').isKeptAlive).to.equal(true)
  })

  it('refuses what is no HTTP/1.1 response', () => {
    const bad = [
      '220 mail.example ESMTP\r\n',
      'HTTP/2 200 OK\r\n\r\n',
      'HTTP/1.1 99 X\r\n\r\n',
      'HTTP/1.1 101 Switching Protocols\r\n\r\n',
      'HTTP/1.1 200 OK\r\nno colon\r\n\r\n',
      'HTTP/1.1 200 OK\r\nspace : x\r\n\r\n',
      'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n',
      'HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n',
      'HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffff\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n',
      `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`,
    ]
    for (const text of bad) expect(read(text).failure, text.slice(0, 80)).to.equal('invalid_response')
  })

  it('never does anything but read or refuse, whatever the bytes', () => {
    const noise = fc.oneof(
      fc.string({unit: 'binary', maxLength: 60}),
      fc.constantFrom(...Object.values(RESPONSES)),
      fc.constantFrom(
        'HTTP/1.1 200 OK\r\n',
        '\r\n',
        '0\r\n\r\n',
        'transfer-encoding: chunked\r\n\r\n',
        '5\r\n',
      ),
    )
    fc.assert(
      fc.property(
        fc.array(noise, {maxLength: 6}),
        fc.array(fc.nat(400)),
        fc.boolean(),
        (parts, cuts, closes) => {
          const text = parts.join('')
          expect(read(text, cuts, closes)).to.deep.equal(read(text, [], closes))
        },
      ),
      {numRuns: 1000},
    )
  })
})
