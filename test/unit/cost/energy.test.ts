import {expect} from 'chai'
import {energyOfWindow, sumOfEnergies, type EnergySample} from '../../../src/lib/cost/index.js'

const at = (seconds: number, watts: number | null, joules: number | null = null): EnergySample => ({
  atMs: seconds * 1000,
  watts,
  joules,
})
const wh = (samples: readonly EnergySample[], from: number, to: number): number | null => {
  const {joules} = energyOfWindow(samples, from * 1000, to * 1000)
  return joules === null ? null : joules / 3600
}

describe('energy of a window', () => {
  it('is power integrated by the trapezoid rule: 100 W for 10 s are 0.277778 Wh', () => {
    expect(wh([at(0, 100), at(5, 100), at(10, 100)], 0, 10)).to.be.closeTo(0.277778, 1e-6)
    expect(wh([at(5, 100), at(10, 100)], 5, 10)).to.be.closeTo(0.138889, 1e-6)
    // From 0 to 100 W in 10 s: the mean is 50 W.
    expect(wh([at(0, 0), at(10, 100)], 0, 10)).to.be.closeTo(500 / 3600, 1e-9)
  })

  it('is interpolated to the edges of the window', () => {
    // At 2 s it is 20 W, at 8 s 80 W: (20 + 80) / 2 · 6 s.
    expect(wh([at(0, 0), at(10, 100)], 2, 8)).to.be.closeTo(300 / 3600, 1e-9)
    expect(wh([at(0, null, 0), at(10, null, 1000)], 2, 8)).to.be.closeTo(600 / 3600, 1e-9)
  })

  it('is the counter first, also where power says otherwise', () => {
    const samples = [at(0, 500, 1000), at(5, 500, 1300), at(10, 500, 1700)]
    expect(energyOfWindow(samples, 0, 10_000)).to.deep.equal({joules: 700, source: 'counter', coverage: 1})
  })

  it('takes a counter that falls for a gap, and power where that leaves too much open', () => {
    const samples = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(s =>
      at(s, 100, s < 5 ? 1000 + 90 * s : 90 * (s - 5)),
    )
    const {joules, source, coverage} = energyOfWindow(samples, 0, 10_000)
    expect(source).to.equal('counter')
    expect(joules).to.be.closeTo(4 * 90 + 5 * 90, 1e-9)
    expect(coverage).to.be.closeTo(0.9, 1e-9)
    expect(energyOfWindow([at(0, 100, 50), at(5, 100, 10), at(10, 100, 60)], 0, 10_000)).to.deep.equal({
      ...{joules: 1000, source: 'integrated_power', coverage: 1},
    })
  })

  it('bridges no gap that is longer than three usual steps, and is unknown below 80 % of the window', () => {
    const samples = [at(0, 100), at(1, 100), at(2, 100), at(8, 100), at(9, 100), at(10, 100)]
    expect(energyOfWindow(samples, 0, 10_000)).to.deep.equal({joules: null, source: null, coverage: 0.4})
    expect(wh([at(0, null), at(5, 100), at(10, 100), at(12, null)], 0, 12)).to.equal(null)
    expect(energyOfWindow([], 0, 10_000)).to.deep.equal({joules: null, source: null, coverage: 0})
  })

  it('of several GPUs is their sum, and unknown when one is', () => {
    const known = {joules: 100, source: 'counter', coverage: 1} as const
    const added = {joules: 50, source: 'integrated_power', coverage: 0.9} as const
    expect(sumOfEnergies([known, known])).to.deep.equal({joules: 200, source: 'counter', coverage: 1})
    expect(sumOfEnergies([known, added])).to.deep.equal({
      joules: 150,
      source: 'integrated_power',
      coverage: 0.9,
    })
    expect(sumOfEnergies([known, {joules: null, source: null, coverage: 0.2}])).to.deep.include({
      joules: null,
      coverage: 0.2,
    })
    expect(sumOfEnergies([])).to.deep.equal({joules: null, source: null, coverage: 0})
  })
})
