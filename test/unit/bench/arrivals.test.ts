import {expect} from 'chai'
import {arrivalTimesMs, PATTERNS, type ArrivalProcess} from '../../../src/lib/bench/arrivals.js'

const process: ArrivalProcess = {
  pattern: 'constant',
  requests: 1000,
  ratePerSecond: 10,
  durationSeconds: 100,
  seed: 42,
  burstiness: 1,
  rampFromPerSecond: 0,
  onSeconds: 2,
  offSeconds: 3,
  offRatePerSecond: 0,
  stages: [{ratePerSecond: 20, seconds: 50}],
}
const times = (changes: Partial<ArrivalProcess>): Float64Array => arrivalTimesMs({...process, ...changes})
const gaps = (list: Float64Array): number[] => [...list].slice(1).map((at, i) => at - list[i]!)
const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length
const variation = (list: readonly number[]): number =>
  Math.sqrt(mean(list.map(value => (value - mean(list)) ** 2))) / mean(list)

describe('arrival times', () => {
  for (const pattern of PATTERNS) {
    // Times come with the data set, or follow answers.
    if (pattern === 'trace' || pattern === 'users') continue
    it(`of ${pattern} ascend, and are the same for the same seed`, () => {
      const list = times({pattern, rampFromPerSecond: 1})
      expect(list).to.have.length(1000)
      expect(list).to.deep.equal(times({pattern, rampFromPerSecond: 1}))
      expect(gaps(list).every(gap => gap >= 0)).to.equal(true)
      expect(list[0]).to.be.at.least(0)
    })
  }

  for (const pattern of ['poisson', 'gamma', 'bursty', 'heavy', 'on-off'] as const) {
    it(`of ${pattern} differ with another seed`, () => {
      expect(times({pattern, seed: 43})).not.to.deep.equal(times({pattern}))
    })
  }

  it('of a constant rate are i / r', () => {
    expect([...times({requests: 4})]).to.deep.equal([0, 100, 200, 300])
  })

  it('of a Poisson process have gaps of mean 1 / r and variation 1, the first one included', () => {
    const list = times({pattern: 'poisson', requests: 20_000})
    expect(list[0]).to.be.above(0)
    expect(mean(gaps(list))).to.be.closeTo(100, 3)
    expect(variation(gaps(list))).to.be.closeTo(1, 0.05)
  })

  it('of a gamma process vary by 1 / sqrt(burstiness) around the same mean', () => {
    for (const burstiness of [0.25, 1, 4]) {
      const between = gaps(times({pattern: 'gamma', burstiness, requests: 40_000}))
      expect(mean(between), `mean at ${burstiness}`).to.be.closeTo(100, 5)
      expect(variation(between), `variation at ${burstiness}`).to.be.closeTo(1 / Math.sqrt(burstiness), 0.1)
    }
  })

  it('of a burst put 80 % of the requests into the first 20 % of the time', () => {
    const list = [...times({pattern: 'burst'})]
    expect(list.filter(at => at < 20_000)).to.have.length(800)
    expect(list.every(at => at < 100_000)).to.equal(true)
    expect(list).to.deep.equal([...times({pattern: 'bursty'})])
  })

  it('of a heavy tail are mostly early and never after 95 % of the time', () => {
    const list = [...times({pattern: 'heavy'})]
    expect(Math.max(...list)).to.be.at.most(95_000)
    // Median of (u^(−1/1.2) − 1)/10 · D: u = 1/2 gives 0.0782 · D.
    expect(list[500]! / 100_000).to.be.closeTo((0.5 ** (-1 / 1.2) - 1) / 10, 0.02)
  })

  it('of a ramp from zero grow with the square root: t(i) = D · sqrt(i / n)', () => {
    const list = times({pattern: 'ramp', requests: 100, ratePerSecond: 1, durationSeconds: 100})
    expect(list[25]).to.be.closeTo(100_000 * Math.sqrt(25 / 100), 1e-6)
    expect(list[81]).to.be.closeTo(100_000 * Math.sqrt(81 / 100), 1e-6)
  })

  it('of a ramp from the mean are a constant rate', () => {
    const list = times({pattern: 'ramp', requests: 4, rampFromPerSecond: 10})
    expect([...list]).to.deep.equal([0, 100, 200, 300])
  })

  it('of a ramp that would end below zero are refused', () => {
    expect(() => times({pattern: 'ramp', rampFromPerSecond: 21})).to.throw(/cannot average/)
  })

  it('of an exponential ramp grow by the same factor in the same time: ln(1 + g·i/r₀)/g', () => {
    // From 1/s to e/s in 100 s: g = 0.01/s, and the mean rate is (e − 1)/s.
    const mean = Math.E - 1
    const changes = {ratePerSecond: mean, durationSeconds: 100, rampFromPerSecond: 1, requests: 172}
    const list = times({pattern: 'ramp-exp', ...changes})
    for (const i of [0, 1, 50, 171])
      expect(list[i]).to.be.closeTo((Math.log(1 + 0.01 * i) / 0.01) * 1000, 1e-3)
    const even = times({pattern: 'ramp-exp', ratePerSecond: 2, rampFromPerSecond: 2, requests: 4})
    expect([...even]).to.deep.equal([0, 500, 1000, 1500])
    const falling = times({
      pattern: 'ramp-exp',
      ratePerSecond: mean,
      durationSeconds: 100,
      rampFromPerSecond: Math.E,
    })
    expect(falling[1]! - falling[0]!).to.be.below(falling[150]! - falling[149]!)
    expect(() => times({pattern: 'ramp-exp'})).to.throw(/starts above 0/)
  })

  it('of stages have in each stage as many as its rate says, anywhere in it', () => {
    const stages = [
      {ratePerSecond: 10, seconds: 20},
      {ratePerSecond: 100, seconds: 5},
    ]
    const list = [...times({pattern: 'stages', stages, requests: 700})]
    expect(list.filter(at => at < 20_000)).to.have.length(200)
    expect(list.filter(at => at >= 20_000 && at < 25_000)).to.have.length(500)
    expect(variation(gaps(Float64Array.from(list.slice(200))))).to.be.closeTo(1, 0.15)
    expect(() => times({pattern: 'stages', stages, requests: 701})).to.throw(/send 700 requests, not 701/)
  })

  it('of an infinite rate are all 0', () => {
    expect(new Set(times({pattern: 'inf'}))).to.deep.equal(new Set([0]))
  })

  it('of two rates in turn keep the mean, the lower one in the pauses', () => {
    const list = [...times({pattern: 'on-off', offRatePerSecond: 2, requests: 20_000})]
    const inPauses = list.filter(at => at % 5000 > 2000).length
    // 10/s over 5 s are 50, of which 2/s over 3 s are 6.
    expect(inPauses / list.length).to.be.closeTo(6 / 50, 0.01)
    expect(list.length / (list.at(-1)! / 1000)).to.be.closeTo(10, 0.3)
    expect(() => times({pattern: 'on-off', offRatePerSecond: 17})).to.throw(/cannot be 10/)
  })

  it('of on and off phases fall in the on phases only, at the mean rate', () => {
    const list = [...times({pattern: 'on-off', requests: 20_000})]
    expect(list.every(at => at % 5000 <= 2000)).to.equal(true)
    expect(list.length / (list.at(-1)! / 1000)).to.be.closeTo(10, 0.3)
  })
})
