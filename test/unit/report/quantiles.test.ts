import {expect} from 'chai'
import {percentile} from '../../../src/lib/metrics/index.js'
import {nines, quantileCurve, topFraction} from '../../../src/lib/report/quantiles.js'

const close = (actual: number | null, expected: number): void => {
  expect(actual).to.be.closeTo(expected, 1e-9)
}

describe('quantileCurve', () => {
  it('has only exact quantiles of all samples, however few points are drawn', () => {
    const samples = Float64Array.from({length: 100_000}, (_, at) => at ** 1.5)
    const curve = quantileCurve(samples, 0.99995, 240)
    expect(curve).to.have.length(240)
    for (const {fraction, value} of curve) expect(value).to.equal(percentile(samples, fraction))
  })

  it('starts at the smallest sample, ends at the fraction asked for and never falls', () => {
    const curve = quantileCurve([3, 5, 8, 13], 0.995, 50)
    expect(curve[0]).to.deep.equal({fraction: 0, value: 3})
    close(curve.at(-1)!.fraction, 0.995)
    const values = curve.map(({value}) => value)
    expect(values).to.deep.equal(values.toSorted((a, b) => a - b))
  })

  it('gives each further nine the same height', () => {
    close(nines(0.99) - nines(0.9), 1)
    close(nines(0.999) - nines(0.99), 1)
  })

  it('reads no further up than the samples allow, and always past p99', () => {
    expect([1, 99, 200, 1000, 99_999, 10_000_000].map(topFraction)).to.deep.equal([
      1 - 0.005,
      1 - 0.005,
      1 - 0.005,
      1 - 0.0005,
      1 - 0.00005,
      1 - 0.00005,
    ])
  })
})
