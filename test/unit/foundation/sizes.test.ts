import {expect} from 'chai'
import {ConfigurationError, formatSize, parseSize} from '../../../src/lib/foundation/index.js'

describe('sizes', () => {
  const accepted: [string, bigint][] = [
    ['512M', 536_870_912n],
    ['512MB', 536_870_912n],
    ['512mb', 536_870_912n],
    [' 2 GB ', 2_147_483_648n],
    ['2g\n', 2_147_483_648n],
    ['1024', 1024n],
    ['1_000', 1000n],
    ['1,000,000', 1_000_000n],
    ['1.5G', 1_610_612_736n],
    ['.5G', 536_870_912n],
    ['0.5k', 512n],
    ['1e3', 1000n],
    ['1e3M', 1_048_576_000n],
    ['1T', 2n ** 40n],
    ['1TB', 2n ** 40n],
    ['10KiB', 10_240n],
    ['9223372036854775807', 2n ** 63n - 1n],
  ]
  for (const [text, bytes] of accepted) {
    it(`reads ${JSON.stringify(text)} as ${bytes} bytes`, () => {
      expect(parseSize(text)).to.equal(bytes)
    })
  }

  for (const text of [
    '',
    '0x10',
    '1.2.3G',
    'nan',
    'inf',
    'infG',
    'G',
    'b',
    '-1G',
    '0',
    '0.2',
    '8P',
    '1e400',
    '8388608T',
    'ten',
  ]) {
    it(`refuses ${JSON.stringify(text)} and repeats it`, () => {
      expect(() => parseSize(text))
        .to.throw(ConfigurationError, `'${text}'`)
        .with.property('code', 'SIZE_INVALID')
    })
  }

  const written: [number | bigint, string][] = [
    [0, '0.00 B'],
    [1536, '1.50 KB'],
    [1_048_575, '1024.00 KB'],
    [2n ** 60n, '1048576.00 TB'],
    [-5, '-5.00 B'],
  ]
  for (const [bytes, text] of written) {
    it(`writes ${bytes} as ${text}`, () => {
      expect(formatSize(bytes)).to.equal(text)
    })
  }
})
