import {expect} from 'chai'
import {createParser} from 'eventsource-parser'
import fc from 'fast-check'
import {EventScanner} from '../../../src/lib/bench/event-scanner.js'

function scan(text: string, cuts: readonly number[] = [], finishes = false): string[] {
  const bytes = Buffer.from(text)
  const events: string[] = []
  const scanner = new EventScanner((part, start, end) => events.push(part.toString('utf8', start, end)))
  const places = [...new Set([0, ...cuts.map(cut => cut % (bytes.length + 1)), bytes.length])].sort(
    (left, right) => left - right,
  )
  for (let i = 1; i < places.length; i++) {
    // Every piece comes in the same buffer, so that a view kept too long shows.
    const buffer = Buffer.alloc(places[i]! - places[i - 1]! + 8, 'data: stale\n\n')
    bytes.copy(buffer, 3, places[i - 1], places[i])
    scanner.feed(buffer, 3, buffer.length - 5)
    buffer.fill('#')
  }
  if (finishes) scanner.finish()
  return events
}

function reference(text: string): string[] {
  const events: string[] = []
  createParser({onEvent: ({data}) => events.push(data)}).feed(text)
  return events
}

describe('EventScanner', () => {
  it('finds the data of events and skips comments and other fields', () => {
    const text =
      ': ping\n\ndata: {"a":1}\n\nevent: x\nid: 7\nretry: 10\ndata:two\ndata: lines\n\ndata\n\nnodata: x\n\n'
    expect(scan(text)).to.deep.equal(['{"a":1}', 'two\nlines', ''])
  })

  it('takes CRLF as it takes LF, and a byte order mark at the start', () => {
    expect(scan('\ufeffdata: a\r\n\r\ndata: b\r\n\r\n')).to.deep.equal(['a', 'b'])
  })

  it('counts a whole data line at the end of the stream, and no torn one', () => {
    expect(scan('data: a\n\ndata: [DONE]\n', [], true)).to.deep.equal(['a', '[DONE]'])
    expect(scan('data: a\n\ndata: {"to', [], true)).to.deep.equal(['a'])
  })

  it('agrees with a parser of the standard, wherever the bytes are cut', () => {
    const line = fc.oneof(
      fc.string({unit: 'grapheme', maxLength: 30}).map(text => `data: ${text.replaceAll(/[\r\n]/g, '')}`),
      fc.constantFrom(
        '',
        '',
        'data',
        'data:',
        'data: ',
        'data:  two',
        ': comment',
        'event: x',
        'id: 1',
        'dat: a',
        'dataa: b',
      ),
      fc.json().map(text => `data: ${text}`),
    )
    const stream = fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n')).map(([text, end]) => text + end))
    fc.assert(
      fc.property(stream, fc.array(fc.nat(2000)), (lines, cuts) => {
        const text = lines.join('')
        expect(scan(text, cuts)).to.deep.equal(reference(text))
      }),
      {numRuns: 1000},
    )
  })

  it('refuses an event that would fill the memory', () => {
    const scanner = new EventScanner(() => undefined)
    const piece = Buffer.alloc(1024 * 1024, 'x')
    expect(() => {
      for (let i = 0; i < 9; i++) scanner.feed(piece, 0, piece.length)
    }).to.throw(/exceeds/)
  })
})
