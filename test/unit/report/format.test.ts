import {expect} from 'chai'
import {
  formatBytes,
  formatCount,
  formatMs,
  formatMsRange,
  formatMsTick,
  formatNumber,
  formatPercent,
} from '../../../src/lib/report/format.js'

/** Special spaces made visible as plain ones. */
const plain = (text: string): string => text.replace(/[\u00a0\u202f]/g, ' ')

describe('the figures of a report', () => {
  it('have three significant digits and groups of thousands', () => {
    const shown = [0, 0.04214, 1.5, 9.999, 12.34, 123.4, 1234.5, 1e6].map(value => plain(formatNumber(value)))
    expect(shown).to.deep.equal(['0', '0.0421', '1.50', '10.0', '12.3', '123', '1 235', '1 000 000'])
    expect(plain(formatCount(100_000))).to.equal('100 000')
  })

  it('show an unknown value as a dash, never as 0', () => {
    expect([formatNumber(null), formatMs(null), formatPercent(null), formatBytes(null)]).to.deep.equal(
      Array(4).fill('–'),
    )
  })

  it('write durations in the unit a person would use', () => {
    const shown = [0, 0.4204, 0.9999, 12.34, 999.4, 999.6, 1234, 59_940, 125_000].map(ms =>
      plain(formatMs(ms)),
    )
    expect(shown).to.deep.equal([
      '0 ms',
      '420 µs',
      '1.00 ms',
      '12.3 ms',
      '999 ms',
      '1.00 s',
      '1.23 s',
      '59.9 s',
      '2 min 5 s',
    ])
    expect([20, 50.5, 1500, 2000].map(ms => plain(formatMsTick(ms)))).to.deep.equal([
      '20 ms',
      '50.5 ms',
      '1.5 s',
      '2 s',
    ])
  })

  it('write the unit of a range once where both ends share it', () => {
    expect(plain(formatMsRange(81.7, 85.1))).to.equal('81.7–85.1 ms')
    expect(plain(formatMsRange(980, 1120))).to.equal('980 ms–1.12 s')
  })

  it('never round a failure away: 99.999 % is not 100 %', () => {
    const shown = [1, 0, 0.5, 0.965, 0.999, 0.99999, 0.000004].map(ratio => plain(formatPercent(ratio)))
    expect(shown).to.deep.equal(['100 %', '0 %', '50 %', '96.5 %', '99.9 %', '99.999 %', '0.0004 %'])
  })

  it('write bytes as kvctl list does, without trailing zeros', () => {
    expect([0, 1536, 48 * 1024 ** 2, 1.25 * 1024 ** 3].map(bytes => plain(formatBytes(bytes)))).to.deep.equal(
      ['0 B', '1.5 KB', '48 MB', '1.25 GB'],
    )
  })
})
