import {expect} from 'chai'
import fc from 'fast-check'
import {createStopScanner} from '../../../src/lib/openai/index.js'

/** Feeds `pieces`, stops at the first hit, and gives everything shown. */
function scan(
  pieces: readonly string[],
  stops: string[],
  includeStop = false,
): {shown: string; stop: string | null} {
  const scanner = createStopScanner(stops, includeStop)
  let shown = ''
  for (const piece of pieces) {
    const {text, stop} = scanner.push(piece, true)
    shown += text
    if (stop !== null) return {shown, stop}
  }
  return {shown: shown + scanner.rest(), stop: null}
}

describe('stop strings', () => {
  it('cut the text before them, also when they come in pieces', () => {
    expect(scan(['one t', 'w', 'o three'], ['two'])).to.deep.equal({shown: 'one ', stop: 'two'})
  })

  it('stay in the text when asked to', () => {
    expect(scan(['one t', 'w', 'o three'], ['two'], true)).to.deep.equal({shown: 'one two', stop: 'two'})
  })

  it('let go of text that only looked like their beginning', () => {
    const scanner = createStopScanner(['abc'], false)
    expect(scanner.push('xab', true).text).to.equal('x')
    expect(scanner.push('d', true).text).to.equal('a')
    expect(scanner.rest()).to.equal('bd')
  })

  it('do not count before they are armed, nor across that border', () => {
    const scanner = createStopScanner(['ab'], false)
    expect(scanner.push('xab a', false).stop).to.equal(null)
    expect(scanner.push('b c', true).stop).to.equal(null)
    expect(scanner.push('ab', true).stop).to.equal('ab')
  })

  it('never show half of a character', () => {
    const scanner = createStopScanner(['ab'], false)
    expect(scanner.push('x😀', true).text).to.equal('x')
    expect(scanner.push('y', true).text).to.equal('😀')
  })

  it('show exactly what a search of the whole text would leave, however it is cut up', () => {
    const letters = fc.string({unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6})
    const stops = fc.array(fc.string({unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 3}), {
      minLength: 1,
      maxLength: 3,
    })
    fc.assert(
      fc.property(
        fc.array(letters, {maxLength: 12}),
        stops,
        fc.boolean(),
        (pieces, candidates, includeStop) => {
          const {shown, stop} = scan(pieces, candidates, includeStop)
          // A reference without pieces: the text after each piece, searched from its start.
          let text = ''
          for (const piece of pieces) {
            text += piece
            const hits = candidates.filter(candidate => text.includes(candidate))
            if (hits.length === 0) continue
            const at = Math.min(...hits.map(hit => text.indexOf(hit)))
            const hit = hits.find(candidate => text.indexOf(candidate) === at)!
            expect(stop).to.equal(hit)
            expect(shown).to.equal(text.slice(0, includeStop ? at + hit.length : at))
            return
          }
          expect({shown, stop}).to.deep.equal({shown: text, stop: null})
        },
      ),
      {numRuns: 3000},
    )
  })
})
