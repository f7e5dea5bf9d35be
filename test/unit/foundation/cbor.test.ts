import {equal} from 'node:assert/strict'
import {CBOR_TYPE, writeCborHead} from '../../../src/lib/foundation/index.js'

describe('writeCborHead', () => {
  // RFC 8949, appendix A.
  for (const [value, hex] of [
    [0, '00'],
    [23, '17'],
    [24, '1818'],
    [255, '18ff'],
    [256, '190100'],
    [1000, '1903e8'],
    [65_535, '19ffff'],
    [65_536, '1a00010000'],
    [1_000_000, '1a000f4240'],
    [1_000_000_000_000, '1b000000e8d4a51000'],
  ] as const) {
    it(`writes ${value} as ${hex}, the shortest form`, () => {
      equal(written(CBOR_TYPE.UNSIGNED, value), hex)
    })
  }

  it('writes the major type into the first byte', () => {
    equal(written(CBOR_TYPE.NEGATIVE, 99), '3863')
    equal(written(CBOR_TYPE.BYTES, 4), '44')
    equal(written(CBOR_TYPE.TEXT, 1), '61')
    equal(written(CBOR_TYPE.ARRAY, 25), '9819')
  })
})

function written(major: number, value: number): string {
  const bytes = Buffer.alloc(9)
  return bytes.toString('hex', 0, writeCborHead(bytes, 0, major, value))
}
