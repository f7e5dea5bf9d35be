import {expect} from 'chai'
import fc from 'fast-check'
import {createBuiltinTokenizer} from '../../../src/lib/tokens/index.js'

const tokenizer = createBuiltinTokenizer()
const anyText = fc.oneof(
  fc.string({unit: 'binary', maxLength: 200}),
  fc.string({unit: 'grapheme', maxLength: 80}),
  fc.stringMatching(/^[ a-zA-Z0-9.,'"\n\t]{0,120}$/),
)

const PROSE = `The server keeps the keys and values of every token it has read, so that the next word costs one step instead
of many. When memory runs short it must choose: wait, drop what nobody uses, or stop a request and start it again later.
Most people notice only that the answer pauses for a moment. A good measurement shows how long, how often and for whom.`

describe('the built-in tokenizer', () => {
  it('gives back every string it has encoded', () => {
    fc.assert(
      fc.property(anyText, text => tokenizer.decode(tokenizer.encode(text)) === text),
      {numRuns: 2000},
    )
  })

  it('gives back a byte order mark, which a decoder would rather swallow', () => {
    expect(tokenizer.decode(tokenizer.encode('\uFEFFa'))).to.equal('\uFEFFa')
  })

  it('reads a lone surrogate as U+FFFD, because UTF-8 cannot hold it', () => {
    expect(tokenizer.decode(tokenizer.encode('a\uD800b'))).to.equal('a\uFFFDb')
  })

  it('never streams half a character, whatever the chunks', () => {
    const chunks = fc.array(fc.integer({min: 1, max: 5}), {minLength: 1, maxLength: 20})
    fc.assert(
      fc.property(fc.string({unit: 'binary', maxLength: 60}), chunks, (text, sizes) => {
        const ids = tokenizer.encode(text)
        const decoder = tokenizer.createDecoder()
        let streamed = ''
        for (let at = 0, turn = 0; at < ids.length; turn++) {
          const size = sizes[turn % sizes.length]!
          const piece = decoder.push(ids.slice(at, at + size))
          if (!text.includes('\uFFFD')) expect(piece).not.to.include('\uFFFD')
          streamed += piece
          at += size
        }
        expect(streamed + decoder.end()).to.equal(text)
      }),
    )
  })

  it('holds an unfinished character back and ends it as U+FFFD', () => {
    const decoder = tokenizer.createDecoder()
    expect(decoder.push([0xe2, 0x82])).to.equal('')
    expect(decoder.end()).to.equal('\uFFFD')
  })

  it('spends about four characters of English on a token', () => {
    const charactersPerToken = PROSE.length / tokenizer.encode(PROSE).length
    expect(charactersPerToken).to.be.within(3.5, 5.5)
  })

  it('has ids below its size and at least 5,000 of them', () => {
    expect(tokenizer.vocabulary.size).to.be.greaterThan(5000)
    fc.assert(
      fc.property(anyText, text =>
        tokenizer.encode(text).every(id => id >= 0 && id < tokenizer.vocabulary.size),
      ),
    )
  })

  it('reads text that it could have sampled as the very tokens sampled, so that a next turn hits the prefix cache', () => {
    const {sampleable} = tokenizer.vocabulary
    const sampled = fc.array(
      fc.nat(sampleable.length - 1).map(at => sampleable[at]!),
      {maxLength: 60},
    )
    fc.assert(
      fc.property(sampled, ids => {
        expect(tokenizer.encode(tokenizer.decode(ids))).to.deep.equal(ids)
      }),
      {numRuns: 1000},
    )
  })

  it('samples words and sentence marks only', () => {
    for (const id of tokenizer.vocabulary.sampleable)
      expect(tokenizer.decode([id])).to.match(/^( [a-z]+|[,.])$/)
  })

  it('keeps text that spells a special token apart from the token', () => {
    const {eosTokenId} = tokenizer.vocabulary
    expect(tokenizer.encode('<|endoftext|>')).not.to.include(eosTokenId)
    expect(tokenizer.decode([eosTokenId])).to.equal('<|endoftext|>')
    expect(tokenizer.createDecoder().push([eosTokenId])).to.equal('')
  })

  it('writes a conversation as ChatML and leaves room for the answer', () => {
    const turns = [{role: 'user', content: 'Hello'}]
    const text = (addGenerationPrompt: boolean, continueFinalMessage: boolean): string =>
      tokenizer.decode(tokenizer.encodeChat(turns, {addGenerationPrompt, continueFinalMessage}))
    expect(text(true, false)).to.equal('<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n')
    expect(text(false, false)).to.equal('<|im_start|>user\nHello<|im_end|>\n')
    expect(text(false, true)).to.equal('<|im_start|>user\nHello')
  })

  it('never promises more tokens than a text has', () => {
    fc.assert(fc.property(anyText, text => tokenizer.leastTokens(text) <= tokenizer.encode(text).length))
  })

  it('gives the bytes of a token, which joined are the text', () => {
    const bytes = tokenizer.encode('Zürich, 2 °C').map(id => tokenizer.tokenBytes(id))
    expect(Buffer.concat(bytes).toString()).to.equal('Zürich, 2 °C')
  })
})
