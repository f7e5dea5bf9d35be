import {expect} from 'chai'
import {parseQuantity} from '../../../src/lib/foundation/index.js'

describe('quantities', () => {
  for (const [text, value] of [
    ['2', 2],
    [2, 2],
    ['0.5', 0.5],
    ['2000m', 2],
    ['250u', 250e-6],
    ['1n', 1e-9],
    ['3k', 3e3],
    ['1M', 1e6],
    ['16G', 16e9],
    ['1T', 1e12],
    ['1P', 1e15],
    ['1E', 1e18],
    ['1Ki', 1024],
    ['1.5Gi', 1.5 * 1024 ** 3],
    ['2Ei', 2 * 1024 ** 6],
    ['1e3', 1000],
    ['1E3', 1000],
    ['12e-1', 1.2],
  ] as const) {
    it(`read ${text} as ${value}`, () => {
      expect(parseQuantity(text)).to.be.closeTo(value, value * 1e-12)
    })
  }

  for (const text of ['', 'lots', '-1', '8GB', '8gi', '1e3Gi', '1 Gi', '.5', '0x10', '∞', -2, Number.NaN]) {
    it(`refuse ${JSON.stringify(text)}`, () => {
      expect(() => parseQuantity(text))
        .to.throw('is not a quantity')
        .with.property('exitCode', 2)
    })
  }
})
