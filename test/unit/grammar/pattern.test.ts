import {expect} from 'chai'
import fc from 'fast-check'
import {ConfigurationError} from '../../../src/lib/foundation/index.js'
import {patternGrammar} from '../../../src/lib/grammar/index.js'
import {textOf} from '../../support/grammar.js'

describe('a regular expression as a grammar', () => {
  const expressions = [
    'abc',
    'a|bc|',
    '(?:yes|no) \\d+',
    '[A-Z][a-z]{2,4}?, [^a-z]x',
    '\\w+@\\w+\\.(?<top>com|org)',
    '^(\\d{1,3}\\.){3}\\d{1,3}$',
    '((a?){1000}){1000}b',
    '.*\\S\\s\\D\\W',
    '\\x41\\u00e9\\t\\n[\\]\\-^-]',
    '[\\u4e00-\\u4e05]{2}',
    '{x}a{2}',
    '😀+',
  ]
  for (const source of expressions) {
    it(`gives only texts that ${source} matches as a whole`, () => {
      const expression = new RegExp(`^(?:${source.replaceAll('{x}', '\\{x\\}')})$`, 'u')
      for (let seed = 0; seed < 200; seed++)
        expect(textOf(patternGrammar(source, false), seed)).to.match(expression)
    })
  }

  it('gives different texts where the expression leaves the choice', () => {
    const texts = new Set(
      Array.from({length: 100}, (_, seed) => textOf(patternGrammar('[a-z]{8}', false), seed)),
    )
    expect(texts.size).to.equal(100)
  })

  it('gives generated expressions texts that JavaScript finds matching', () => {
    const atom = fc.constantFrom('a', '\\d', '[b-e]', '[^0-9]', '(?:x|yz)', '(q)', '.', '\\.')
    const quantifier = fc.constantFrom('', '*', '+', '?', '{2}', '{1,3}', '{2,}', '*?')
    const sequence = fc
      .array(fc.tuple(atom, quantifier), {minLength: 1, maxLength: 5})
      .map(list => list.flat().join(''))
    fc.assert(
      fc.property(fc.array(sequence, {minLength: 1, maxLength: 3}), fc.nat(), (branches, seed) => {
        const source = branches.join('|')
        expect(textOf(patternGrammar(source, false), seed)).to.match(new RegExp(`^(?:${source})$`, 'u'))
      }),
      {numRuns: 500},
    )
  })

  const refused: [string, RegExp][] = [
    ['(a', /'\)' is missing/],
    ['a)', /unexpected '\)'/],
    ['*a', /nothing to repeat/],
    ['a**', /nothing to repeat/],
    ['[a', /ends too early/],
    ['[z-a]', /out of order/],
    ['a{3,2}', /out of order/],
    ['(?=a)', /not supported/],
    ['(?<!a)b', /not supported/],
    ['(a)\\1', /not supported/],
    ['\\bword', /not supported/],
    ['\\p{L}', /not supported/],
    ['a^b', /not supported/],
    ['[^\\d\\D]', /holds no character/],
    ['\\', /ends too early/],
    ['('.repeat(200), /too deeply/],
  ]
  for (const [source, message] of refused) {
    it(`refuses ${source.slice(0, 20)}`, () => {
      expect(() => patternGrammar(source, false)).to.throw(ConfigurationError, message)
    })
  }
})
