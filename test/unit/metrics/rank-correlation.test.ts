import {expect} from 'chai'
import {rankCorrelation} from '../../../src/lib/metrics/index.js'

describe('rank correlation', () => {
  const rising = [1, 2, 3, 4, 5, 6, 7, 8]

  it('is 1 for what grows together however fast, −1 for the opposite', () => {
    expect(
      rankCorrelation(
        rising,
        rising.map(value => value ** 3),
      ),
    ).to.equal(1)
    expect(
      rankCorrelation(
        rising,
        rising.map(value => -value),
      ),
    ).to.equal(-1)
  })

  it('gives equal values their mean rank', () => {
    // Ranks 1…8 beside 4.5 four times, then 1…4 shifted: Pearson of the ranks by hand.
    const tied = [0, 0, 0, 0, 1, 2, 3, 4]
    // ranks 2.5 ×4, 5, 6, 7, 8; Σ products about 4.5: 3.5·2 + 2.5·2 + 1.5·2 + 0.5·2 + 0.5² + 1.5² + 2.5² + 3.5² = 16 + 21 = 37
    expect(rankCorrelation(rising, tied)).to.be.closeTo(37 / Math.sqrt(42 * 37), 1e-12)
  })

  it('is unknown for few pairs and for what never changes', () => {
    expect(rankCorrelation(rising.slice(1), rising)).to.equal(null)
    expect(rankCorrelation(rising, [null, ...rising.slice(1)])).to.equal(null)
    expect(
      rankCorrelation(
        rising,
        rising.map(() => 3),
      ),
    ).to.equal(null)
  })
})
