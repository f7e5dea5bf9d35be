import {expect} from 'chai'
import fc from 'fast-check'
import {
  binomialCdf,
  effectiveCount,
  ExactHistogram,
  lag1Autocorrelation,
  moments,
  percentile,
  percentileRanks,
  samplesNeeded,
  summarize,
} from '../../../src/lib/metrics/index.js'
import {seededRandom} from '../../../src/lib/foundation/index.js'

const ONE_TO_TEN = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]

describe('percentile', () => {
  for (const [sorted, q, expected] of [
    [ONE_TO_TEN, 0.5, 5.5],
    [ONE_TO_TEN, 0.9, 9.1],
    [ONE_TO_TEN, 0.95, 9.55],
    [ONE_TO_TEN, 0.99, 9.91],
    [[100, 200, 300, 400], 0.95, 385], // position 0.95 · 3 = 2.85: 300 + 0.85 · 100
    [[7], 0.99, 7],
    [[3, 5], 0, 3],
    [[3, 5], 1, 5],
  ] as const) {
    it(`of ${JSON.stringify(sorted)} at ${q} is ${expected}`, () => {
      expect(percentile(sorted, q)).to.be.closeTo(expected, 1e-12)
    })
  }

  it('of nothing is null', () => {
    expect(percentile([], 0.5)).to.equal(null)
  })

  it('is null where it falls among values known only to be larger', () => {
    expect(percentile([1, 2, Infinity], 0.5)).to.equal(2)
    expect(percentile([1, 2, Infinity], 0.6)).to.equal(null)
    expect(percentile([1, 2, Infinity], 1)).to.equal(null)
  })
})

describe('binomial distribution', () => {
  it('is the sum of its terms', () => {
    for (const [n, q] of [
      [1, 0.5],
      [7, 0.2],
      [40, 0.95],
      [60, 0.5],
    ] as const) {
      let sum = 0
      let term = (1 - q) ** n
      for (let k = 0; k <= n; k++) {
        sum += term
        expect(binomialCdf(k, n, q), `n ${n}, q ${q}, k ${k}`).to.be.closeTo(Math.min(1, sum), 1e-12)
        term *= ((n - k) / (k + 1)) * (q / (1 - q))
      }
    }
  })

  it('agrees with the normal distribution for a million samples', () => {
    // One standard deviation, √(10⁶ · 0.5 · 0.5) = 500, above the mean; with the continuity correction Φ(1.001).
    expect(binomialCdf(500_500, 1_000_000, 0.5)).to.be.closeTo(0.84159, 1e-4)
  })
})

describe('interval of a percentile', () => {
  it('lies between the 40th and the 61st of 100 samples for the median', () => {
    expect(percentileRanks(100, 0.5, 0.95)).to.deep.equal({lower: 40, upper: 61})
  })

  it('has no upper end with one sample less than it needs', () => {
    const n = 368 // the two-sided interval needs 0.99ⁿ ≤ 0.025: n ≥ 367.04
    expect(percentileRanks(n, 0.99, 0.95).upper).to.equal(n)
    expect(percentileRanks(367, 0.99, 0.95).upper).to.equal(null)
  })

  it('has no ends for a single sample', () => {
    expect(percentileRanks(1, 0.5, 0.95)).to.deep.equal({lower: null, upper: null})
  })

  it('covers the true median in about 95 of 100 experiments', () => {
    const random = seededRandom(5)
    let covered = 0
    for (let experiment = 0; experiment < 2000; experiment++) {
      const sorted = Float64Array.from({length: 50}, () => random.unit()).sort()
      const {lower, upper} = percentileRanks(50, 0.5, 0.95)
      if (sorted[lower! - 1]! <= 0.5 && 0.5 <= sorted[upper! - 1]!) covered++
    }
    // The ranks 18 and 33 hold P = 0.967; three standard deviations of 2000 experiments are 0.012.
    expect(covered / 2000).to.be.within(0.955, 0.979)
  })

  it('needs as many samples as ln(1 − c) / ln(q) says', () => {
    const needed = (confidence: number): number[] =>
      [0.5, 0.9, 0.95, 0.99, 0.999].map(q => samplesNeeded(q, confidence))
    expect(needed(0.95)).to.deep.equal([5, 29, 59, 299, 2995])
    expect(needed(0.99)).to.deep.equal([7, 44, 90, 459, 4603])
    expect(samplesNeeded(0.01, 0.95)).to.equal(299)
  })
})

describe('autocorrelation', () => {
  it('of 1, 2, 3, 4 is a quarter', () => {
    // Deviations −1.5, −0.5, 0.5, 1.5: products 0.75 − 0.25 + 0.75 = 1.25, squares 2.25 + 0.25 + 0.25 + 2.25 = 5.
    expect(lag1Autocorrelation([1, 2, 3, 4])).to.equal(1.25 / 5)
  })

  it('is unknown for constants and for two samples', () => {
    expect(lag1Autocorrelation([3, 3, 3])).to.equal(null)
    expect(lag1Autocorrelation([1, 2])).to.equal(null)
  })

  it('lowers the effective count above 0.1 only', () => {
    expect(effectiveCount(100, 0.5)).to.equal(33) // ⌊100 · 0.5 / 1.5⌋
    expect(effectiveCount(100, 0.1)).to.equal(100)
    expect(effectiveCount(100, -0.5)).to.equal(100)
    expect(effectiveCount(100, null)).to.equal(100)
  })
})

describe('summary', () => {
  it('of 2, 4, 4, 4, 5, 5, 7, 9', () => {
    const summary = summarize(Float64Array.of(9, 2, 5, 4, 4, 7, 5, 4))
    expect(summary).to.deep.include({count: 8, mean: 5, min: 2, max: 9})
    expect(summary.std).to.be.closeTo(Math.sqrt(32 / 7), 1e-12) // Σ squares 9+1+1+1+0+0+4+16 = 32
    expect(summary.percentiles.p50).to.equal(4.5)
    expect(summary.tooFewFor).to.deep.equal(['p1', 'p5', 'p10', 'p25', 'p75', 'p90', 'p95', 'p99', 'p99_9'])
  })

  it('of nothing is null throughout', () => {
    const {count, mean, std, min, max, percentiles, intervals} = summarize(new Float64Array(0))
    expect({count, mean, std, min, max}).to.deep.equal({
      count: 0,
      mean: null,
      std: null,
      min: null,
      max: null,
    })
    expect(new Set(Object.values(percentiles))).to.deep.equal(new Set([null]))
    expect(intervals?.p50).to.deep.equal([null, null])
  })

  it('of one sample has no deviation', () => {
    expect(summarize(Float64Array.of(4))).to.deep.include({count: 1, mean: 4, std: null, min: 4, max: 4})
  })

  it('counts requests that were never sent as later than all others', () => {
    const summary = summarize(Float64Array.of(1, 2, 3), 2)
    expect(summary).to.deep.include({count: 5, mean: null, max: null, min: 1})
    expect(summary.percentiles).to.deep.include({p50: 3, p75: null})
  })

  it('widens its intervals when neighbours are alike', () => {
    const random = seededRandom(3)
    const independent = Float64Array.from({length: 400}, () => random.unit())
    const sticky = Float64Array.from({length: 400}, (_, index) => Math.sin(index / 30) + random.unit())
    const [alone, alike] = [summarize(independent), summarize(sticky)]
    expect(alone.effectiveCount).to.equal(400)
    expect(alike.effectiveCount).to.be.lessThan(40)
    const rankSpan = ({sorted, of}: {sorted: Float64Array; of: typeof alone}): number =>
      sorted.indexOf(of.intervals!.p50[1]!) - sorted.indexOf(of.intervals!.p50[0]!)
    expect(rankSpan({sorted: sticky, of: alike})).to.be.greaterThan(
      2 * rankSpan({sorted: independent, of: alone}),
    )
  })
})

describe('exact histogram', () => {
  it('summarises as sorting all values does', () => {
    const us = fc.oneof(fc.integer({min: 0, max: 20_000}), fc.integer({min: 0, max: 2 ** 32 - 1}))
    fc.assert(
      fc.property(fc.array(us, {minLength: 1, maxLength: 200}), values => {
        const histogram = new ExactHistogram()
        for (const value of values) histogram.add(value)
        const got = histogram.summaryMs()
        const expected = summarize(Float64Array.from(values, value => value / 1000))
        expect(got.count).to.equal(expected.count)
        expect([got.min, got.max]).to.deep.equal([expected.min, expected.max])
        expect(got.mean).to.be.closeTo(expected.mean!, 1e-6 * (1 + expected.mean!))
        if (values.length > 1) expect(got.std).to.be.closeTo(expected.std!, 1e-6 * (1 + expected.std!))
        for (const name of ['p1', 'p50', 'p99', 'p99_9'] as const) {
          expect(got.percentiles[name]).to.be.closeTo(expected.percentiles[name]!, 1e-6 * (1 + expected.max!))
        }
      }),
    )
  })

  it('takes away what it was given', () => {
    const [all, part] = [new ExactHistogram(), new ExactHistogram()]
    for (const us of [1000, 5000, 5000]) all.add(us)
    part.add(5000)
    all.addAll(part, -1)
    expect(all.summaryMs()).to.deep.include({count: 2, min: 1, max: 5, mean: 3})
  })

  it('is null when empty', () => {
    expect(new ExactHistogram().summaryMs()).to.deep.include({count: 0, mean: null, min: null, std: null})
    expect(new ExactHistogram().percentile(0.5)).to.equal(null)
  })
})

describe('moments', () => {
  it('keep their precision far from zero', () => {
    const {mean, std} = moments([1e9 + 1, 1e9 + 2, 1e9 + 3])
    expect([mean, std]).to.deep.equal([1e9 + 2, 1])
  })
})
