import {expect} from 'chai'
import * as fc from 'fast-check'
import {decodeRecord, encodeRecord, usedPercent} from '../../../src/lib/segments/record.js'

const int64 = fc.bigInt({min: -(2n ** 63n), max: 2n ** 63n - 1n})

describe('the record', () => {
  it('is three little-endian int64: total, used, preallocated', () => {
    const bytes = encodeRecord({
      limitBytes: 8n * 2n ** 30n,
      usedBytes: 0x0102030405060708n,
      preallocBytes: -1n,
    })
    expect(Buffer.from(bytes).toString('hex')).to.equal(
      '0000000002000000' + '0807060504030201' + 'ffffffffffffffff',
    )
  })

  it('reads back what it wrote, from any place in a buffer', () => {
    fc.assert(
      fc.property(int64, int64, int64, (limitBytes, usedBytes, preallocBytes) => {
        const record = {limitBytes, usedBytes, preallocBytes}
        const shifted = Buffer.concat([Buffer.alloc(3), encodeRecord(record)]).subarray(3)
        expect(decodeRecord(shifted)).to.deep.equal(record)
      }),
    )
  })

  it('is 0 % used without a limit', () => {
    expect(usedPercent({limitBytes: 0n, usedBytes: 5n, preallocBytes: 0n})).to.equal(0)
    expect(usedPercent({limitBytes: 8n, usedBytes: 6n, preallocBytes: 1n})).to.equal((6 / 8) * 100)
  })
})
