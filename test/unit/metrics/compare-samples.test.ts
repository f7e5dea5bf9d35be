import {expect} from 'chai'
import {seededRandom} from '../../../src/lib/foundation/index.js'
import {
  compareSamples,
  comparisonVerdicts,
  holm,
  studentP,
  studentQuantile,
  trendOf,
} from '../../../src/lib/metrics/index.js'

/** Times whose neighbours resemble each other, as those of requests in one batch do. */
function samples(seed: number, count: number, factor = 1): Float64Array {
  const random = seededRandom(seed)
  let drift = 0
  return Float64Array.from({length: count}, () => {
    drift = 0.5 * drift + random.normal(0, 0.15)
    return 100 * factor * Math.exp(drift + random.normal(0, 0.2))
  })
}
const OPTIONS = {quantile: 0.5, concurrency: 10, seed: 1}

describe("Student's t", () => {
  it('has the values of the tables', () => {
    expect(studentQuantile(0.05, 8)).to.be.closeTo(2.306, 0.001)
    expect(studentQuantile(0.05, 98)).to.be.closeTo(1.984, 0.001)
    expect(studentP(2.228, 10)).to.be.closeTo(0.05, 0.0001)
    expect(studentP(0, 5)).to.be.closeTo(1, 1e-9)
  })
})

describe('a comparison of two runs', () => {
  it('of the same samples is no change', () => {
    const same = samples(1, 500)
    const {ratio, interval, p} = compareSamples([same], [same], OPTIONS)!
    expect(ratio).to.equal(1)
    expect(interval[0]).to.be.below(1)
    expect(interval[1]).to.be.above(1)
    expect(p).to.equal(1)
  })

  it('raises a false alarm in at most 5 % of pairs that differ by chance only, and finds 10 % in at least 90 %', () => {
    const pairs = 20
    const verdict = (seed: number, factor: number): string => {
      const estimate = compareSamples([samples(seed, 1000)], [samples(seed + 7919, 1000, factor)], {
        ...OPTIONS,
        seed,
      })
      return comparisonVerdicts([{estimate, tolerance: 0.05}])[0]!
    }
    let [alarms, found] = [0, 0]
    for (let pair = 0; pair < pairs; pair++) {
      if (verdict(pair, 1) === 'FAIL') alarms++
      if (verdict(pair, 1.1) === 'FAIL') found++
    }
    expect(alarms).to.be.at.most(1)
    expect(found).to.be.at.least(18)
  }).timeout(120_000)

  it('takes what differs between runs of one side for noise', () => {
    const side = (factors: readonly number[], seed: number): Float64Array[] =>
      factors.map((factor, run) => samples(seed + run, 300, factor))
    const {interval} = compareSamples(side([0.8, 1, 1.2, 1], 1), side([0.9, 1.1, 1.3, 0.9], 50), OPTIONS)!
    expect(interval[0]).to.be.below(1)
    expect(interval[1]).to.be.above(1)
    const apart = compareSamples(side([1, 1, 1, 1], 1), side([1.3, 1.3, 1.3, 1.3], 50), OPTIONS)!
    expect(apart.interval[0]).to.be.above(1.2)
  })

  it('cannot tell from fewer than twenty requests', () => {
    expect(compareSamples([samples(1, 19)], [samples(2, 1000)], OPTIONS)).to.equal(null)
  })
})

describe('verdicts', () => {
  const estimate = (ratio: number, low: number, high: number, p: number, isByRun = false) => ({
    estimate: {ratio, interval: [low, high] as const, p, isByRun, detectable: 0.05},
    tolerance: 0.05,
  })

  it('fail what is certainly worse by more than the tolerance, and never what is better', () => {
    expect(comparisonVerdicts([estimate(1.1, 1.06, 1.14, 0.001)])).to.deep.equal(['FAIL'])
    expect(comparisonVerdicts([estimate(1.03, 1.01, 1.049, 0.001)])).to.deep.equal(['PASS'])
    expect(comparisonVerdicts([estimate(0.7, 0.6, 0.8, 0.0001)])).to.deep.equal(['PASS'])
    expect(comparisonVerdicts([estimate(1.02, 0.95, 1.1, 0.5)])).to.deep.equal(['INCONCLUSIVE'])
  })

  it('of whole runs ask only whether it is worse, of blocks of one run whether it is other', () => {
    const two = (isByRun: boolean) =>
      comparisonVerdicts([estimate(1.1, 1.01, 1.2, 0.04, isByRun), estimate(1.02, 0.9, 1.15, 0.7, isByRun)])
    expect(two(true)).to.deep.equal(['FAIL', 'INCONCLUSIVE']) // 0.02 ≤ 0.05/2
    expect(two(false)).to.deep.equal(['INCONCLUSIVE', 'INCONCLUSIVE']) // 0.04 > 0.05/2
    // What is better is no sign of worse: it leaves the correction to the others.
    const better = [estimate(0.8, 0.7, 0.9, 0.001, true), estimate(1.1, 1.01, 1.2, 0.04, true)]
    expect(comparisonVerdicts(better)).to.deep.equal(['PASS', 'FAIL'])
  })

  it('demand more of each of several figures', () => {
    // 0.05/3, then 0.05/2: the second is no chance only if the first is none.
    expect(holm([0.03, 0.01, 0.6])).to.deep.equal([false, true, false])
    expect(holm([0.02, 0.01, 0.6])).to.deep.equal([true, true, false])
  })
})

describe('a trend', () => {
  it('is the growth over the window as a share of the mean: 1, 2, 3, 4 grow by 4 around 2.5', () => {
    const {slope, interval} = trendOf([1, 2, 3, 4])!
    expect(slope).to.be.closeTo(1.6, 1e-9)
    expect(interval[0]).to.be.closeTo(1.6, 1e-9)
  })

  it('has an interval around nothing where values only scatter', () => {
    const {interval} = trendOf([5, 6, 5, 6, 5, 6, 5, 6, 5, 6])!
    expect(interval[0]).to.be.below(0)
    expect(interval[1]).to.be.above(0)
  })
})
