import {expect} from 'chai'
import {ConfigurationError, formatDurationMs, parseDurationMs} from '../../../src/lib/foundation/index.js'

describe('durations', () => {
  const accepted: [string, number][] = [
    ['2', 2000],
    ['0.5', 500],
    ['250ms', 250],
    ['1.5s', 1500],
    ['2m', 2 * 60_000],
    ['2min', 2 * 60_000],
    ['1h30m', 90 * 60_000],
    ['1d', 24 * 3_600_000],
    [' 10S ', 10_000],
    ['0', 0],
  ]
  for (const [text, ms] of accepted) {
    it(`reads '${text}' as ${ms} ms`, () => {
      expect(parseDurationMs(text)).to.equal(ms)
    })
  }

  for (const text of ['', '-1', '1 h 3', '5x', 'soon', '1.2.3', '1e3s', 'NaN']) {
    it(`refuses '${text}' and repeats it`, () => {
      expect(() => parseDurationMs(text)).to.throw(ConfigurationError, `'${text}'`)
    })
  }

  const written: [number, string][] = [
    [849.6, '850 ms'],
    [12_345, '12.3 s'],
    [245_000, '4m 05s'],
    [3_725_000, '1h 02m'],
  ]
  for (const [ms, text] of written) {
    it(`writes ${ms} ms as '${text}'`, () => {
      expect(formatDurationMs(ms)).to.equal(text)
    })
  }
})
