import {expect} from 'chai'
import {pressureLimit} from '../../../src/lib/quickstart/index.js'

const MIB = 1024n ** 2n
const record = (usedMib: bigint, preallocMib: bigint) => ({
  limitBytes: 1024n * MIB,
  usedBytes: usedMib * MIB,
  preallocBytes: preallocMib * MIB,
})

describe('pressureLimit', () => {
  it('is half of what the engine holds, in whole pages of 2 MiB', () => {
    expect(pressureLimit(record(60n, 20n))).to.equal(40n * MIB)
    expect(pressureLimit(record(50n, 0n))).to.equal(24n * MIB)
  })

  it('leaves room for a request, however little the engine holds', () => {
    expect(pressureLimit(record(0n, 0n))).to.equal(8n * MIB)
    expect(pressureLimit(record(6n, 4n))).to.equal(8n * MIB)
  })
})
