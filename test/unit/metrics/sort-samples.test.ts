import {expect} from 'chai'
import {seededRandom} from '../../../src/lib/foundation/index.js'
import {sortSamples} from '../../../src/lib/metrics/index.js'

describe('sorting of samples', () => {
  const random = seededRandom(3)
  const kinds: Record<string, () => number> = {
    'whole microseconds': () => Math.round(random.exponential(50_000)) / 1000,
    'whole microseconds with the noise of differences': () =>
      1000.1 + Math.round(random.unit() * 1e6) / 1000 - 1000.1,
    'anything else': () => random.exponential(50),
    'an hour and more': () => random.integer(0, 2 ** 40),
  }
  for (const [name, draw] of Object.entries(kinds)) {
    it(`gives the order of the engine's own sort for ${name}`, () => {
      for (const count of [0, 1, 1000, 30_000]) {
        const samples = Float64Array.from({length: count}, () => Math.abs(draw()))
        const expected = Float64Array.from(samples).sort()
        const sorted = sortSamples(samples)
        expect(sorted).to.equal(samples)
        for (let index = 0; index < count; index++)
          if (Math.abs(sorted[index]! - expected[index]!) > 1e-6)
            expect.fail(`place ${index} of ${count}: ${sorted[index]} instead of ${expected[index]}`)
      }
    })
  }
})
