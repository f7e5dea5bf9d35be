import {expect} from 'chai'
import {createAnswerCounter} from '../../../src/lib/bench/count-answers.js'
import {GeneratedText} from '../../../src/lib/bench/generated-text.js'
import {requestRecord} from '../../support/records.js'

/** A letter is a token. */
const LETTERS = {choice: {name: 'letters', sha256: ''}, count: (text: string): number => text.length}

function generated(...texts: readonly string[]): Uint8Array {
  const kept = new GeneratedText()
  kept.add(texts.map((text, place) => ({of: String(place), text})))
  return kept.take()
}

const record = requestRecord
const uncounted = record({completionTokens: 2, tokensSource: 'chunks', chunkTokens: null})

describe('An answer counter', () => {
  it('counts where the server did not, each part by itself, and keeps what the server counted', async () => {
    const usage = record({completionTokens: 7, tokensSource: 'usage'})
    const ids = record({completionTokens: 6, tokensSource: 'token_ids'})
    const none = record({completionTokens: null, tokensSource: 'none'})
    const counter = createAnswerCounter(LETTERS)
    const texts = [
      generated('abc', 'de'),
      generated('abcdefgh'),
      generated('abcdef'),
      generated('xyz'),
      generated(),
    ]
    const counted = await counter.counted([uncounted, usage, ids, none, none], texts)
    expect(counted.map(one => [one.completionTokens, one.tokensSource])).to.deep.equal([
      [5, 'tokenizer'],
      [7, 'usage'],
      [6, 'token_ids'],
      [3, 'tokenizer'],
      [null, 'none'],
    ])
    // 8 + 6 of letters beside 7 + 6 of the server.
    expect(counter.warnings()).to.deep.equal([
      {
        code: 'tokenizer_differs',
        message:
          "2 answers have 13 tokens by the server and 14 by letters (+7.7 %); the server's count is used",
      },
    ])
  })

  it('keeps no tokens of chunks that do not add up to those of the answer', async () => {
    const [two, three] = [Uint32Array.of(1, 1), Uint32Array.of(1, 2)]
    const records = [two, three].map(chunkTokens => ({...uncounted, chunkTokens, firstChunkTokens: 1}))
    const counted = await createAnswerCounter(LETTERS).counted(records, [generated('abc'), generated('abc')])
    expect(counted.map(one => [one.chunkTokens, one.firstChunkTokens])).to.deep.equal([
      [null, null],
      [three, 1],
    ])
  })

  it('leaves an answer that it cannot count as it was, and says so', async () => {
    const counter = createAnswerCounter({...LETTERS, count: () => assertNever()})
    expect(await counter.counted([uncounted], [generated('abc')])).to.deep.equal([uncounted])
    const torn = await createAnswerCounter(LETTERS).counted([uncounted], [Buffer.from('a\tb\n')])
    expect(torn).to.deep.equal([uncounted])
    expect(counter.warnings()).to.deep.equal([
      {code: 'tokenizer_failed', message: '1 answers could not be counted with letters: no such piece'},
    ])
  })
})

function assertNever(): never {
  throw new Error('no such piece')
}
