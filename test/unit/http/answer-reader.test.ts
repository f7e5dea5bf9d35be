import {expect} from 'chai'
import fc from 'fast-check'
import {AnswerError, AnswerReader} from '../../../src/lib/http/answer-reader.js'

interface Outcome {
  head: [status: number, reason: string, headers: string[]] | null
  body: string
  isDone: boolean
  isKeptAlive: boolean
  /** Bytes after the answer. */
  left: number
  isRefused: boolean
}

/** Feeds `text` cut at the given places, then the close if asked. */
function read(text: string, cuts: readonly number[] = [], closes = false, method = 'POST'): Outcome {
  const bytes = Buffer.from(text, 'latin1')
  const outcome: Outcome = {
    ...{head: null, body: '', left: 0},
    ...{isDone: false, isKeptAlive: true, isRefused: false},
  }
  const reader = new AnswerReader({
    head: (...head) => (outcome.head = head),
    body: (part, start, end) => (outcome.body += part.toString('latin1', start, end)),
  })
  reader.expect(method)
  const places = [...new Set([0, ...cuts.map(cut => cut % (bytes.length + 1)), bytes.length])].sort(
    (left, right) => left - right,
  )
  try {
    for (let i = 1; i < places.length; i++) {
      if (reader.isDone) break
      // As a socket does: behind the piece stands what an earlier read left there.
      const around = Buffer.alloc(places[i]! - places[i - 1]! + 10, '\n')
      bytes.copy(around, 0, places[i - 1], places[i])
      const end = reader.feed(around, around.length - 10)
      outcome.left = bytes.length - (places[i - 1]! + end)
    }
    if (closes) reader.finish()
    outcome.isDone = reader.isDone
    outcome.isKeptAlive = reader.isKeptAlive
  } catch (error) {
    if (!(error instanceof AnswerError)) throw error
    outcome.isRefused = true
    outcome.left = 0
  }
  return outcome
}

const HEAD = 'HTTP/1.1 200 As It Says\r\nX-Own:  a b \r\nset-cookie: 1\r\nSet-Cookie: 2\r\n'
const ANSWERS: Readonly<Record<string, string>> = {
  length: `${HEAD}content-length: 11\r\n\r\nhello world`,
  chunked: `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`,
  'chunked with extensions and trailers': `${HEAD}transfer-encoding: Chunked\r\n\r\n5;a="b"\r\nhello\r\n006 ; x\r\n world\r\n0\r\nx-sum: 1\r\ny: 2\r\n\r\n`,
  'after 1xx answers': `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n${HEAD}content-length: 11\r\n\r\nhello world`,
}
const OWN = ['X-Own', 'a b', 'set-cookie', '1', 'Set-Cookie', '2']

describe('an answer of an engine', () => {
  for (const [title, text] of Object.entries(ANSWERS)) {
    it(`is read (${title}) wherever its bytes are cut, headers as they were written`, () => {
      const whole = read(text)
      expect(whole).to.deep.include({body: 'hello world', isDone: true, isKeptAlive: true, left: 0})
      expect(whole.head!.slice(0, 2)).to.deep.equal([200, 'As It Says'])
      expect(whole.head![2].slice(0, OWN.length)).to.deep.equal(OWN)
      fc.assert(
        fc.property(fc.array(fc.nat(text.length)), cuts => {
          expect(read(text, cuts)).to.deep.equal(whole)
        }),
        {numRuns: 300},
      )
      expect(read(text, [...Array(text.length).keys()])).to.deep.equal(whole)
    })
  }

  it('without a length is ended by the close, and no other answer is', () => {
    expect(read(`${HEAD}\r\nhello`)).to.deep.include({body: 'hello', isDone: false, isKeptAlive: false})
    expect(read(`${HEAD}\r\nhello`, [], true)).to.deep.include({body: 'hello', isDone: true})
    for (const whole of Object.values(ANSWERS))
      for (let length = 0; length < whole.length; length++)
        expect(read(whole.slice(0, length), [], true).isRefused, whole.slice(0, length)).to.equal(true)
  })

  it('with 204 or 304, and to HEAD, has no body', () => {
    expect(read('HTTP/1.1 204 No Content\r\n\r\n')).to.deep.include({isDone: true, body: ''})
    expect(read('HTTP/1.1 304 X\r\ncontent-length: 5\r\n\r\n')).to.deep.include({isDone: true, left: 0})
    const asked = read(`${HEAD}content-length: 11\r\n\r\n`, [], false, 'HEAD')
    expect(asked).to.deep.include({isDone: true, left: 0})
  })

  it('says where it ended when the server sends more than one', () => {
    expect(read(`${ANSWERS['length']!}HTTP/1.1 200`).left).to.equal('HTTP/1.1 200'.length)
  })

  it('says whether its connection may serve again', () => {
    const keeps = (version: string, connection: string): boolean =>
      read(`HTTP/${version} 200 OK\r\n${connection}content-length: 0\r\n\r\n`).isKeptAlive
    expect(keeps('1.1', '')).to.equal(true)
    expect(keeps('1.1', 'connection: x-hop, Close\r\n')).to.equal(false)
    expect(keeps('1.0', '')).to.equal(false)
    expect(keeps('1.0', 'connection: keep-alive\r\n')).to.equal(true)
  })

  it('is refused where it is no HTTP/1.1, or could be read in two ways', () => {
    const bad = [
      '220 mail.example ESMTP\r\n\r\n',
      'HTTP/2 200 OK\r\n\r\n',
      'HTTP/1.1 99 X\r\n\r\n',
      'HTTP/1.1 101 Switching Protocols\r\n\r\n',
      'HTTP/1.1 200 O\0K\r\n\r\n',
      'HTTP/1.1 200 OK\r\nno colon\r\n\r\n',
      'HTTP/1.1 200 OK\r\nspace : x\r\n\r\n',
      'HTTP/1.1 200 OK\r\na: x\r\n folded: y\r\n\r\n',
      'HTTP/1.1 200 OK\r\na: x\nb: y\r\n\r\n',
      'HTTP/1.1 200 OK\r\na: x\0\r\n\r\n',
      'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n',
      'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n',
      'HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffff\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\r\n',
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;${'x'.repeat(20_000)}\r\na`,
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n${'x: y\r\n'.repeat(20_000)}`,
      `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`,
    ]
    for (const text of bad) {
      expect(read(text).isRefused, text.slice(0, 80)).to.equal(true)
      if (text.length < 200)
        expect(read(text, [...Array(text.length).keys()]), text).to.deep.equal(read(text))
    }
  })

  it('does nothing but be read or refused, whatever its bytes', () => {
    const noise = fc.oneof(
      fc.string({unit: 'binary', maxLength: 60}),
      fc.constantFrom(...Object.values(ANSWERS)),
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
        ...[fc.array(noise, {maxLength: 6}), fc.array(fc.nat(400)), fc.boolean()],
        (parts, cuts, closes) => {
          const text = parts.join('')
          expect(read(text, cuts, closes)).to.deep.equal(read(text, [], closes))
        },
      ),
      {numRuns: 1000},
    )
  })
})
