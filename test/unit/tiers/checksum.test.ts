import {randomBytes} from 'node:crypto'
import {expect} from 'chai'
import {checksumOf, readChecked} from '../../../src/lib/tiers/checksum.js'
import {rejection} from '../../support/rejection.js'

const PIECE = 4 * 2 ** 20

describe('a chunk that is checked while it is read', () => {
  it('has the checksum of all of it', async () => {
    const source = Buffer.alloc(2 * PIECE + 5, 'kv')
    const into = Buffer.alloc(source.length)
    const asked: number[] = []
    let askedForAll: number[] = []
    const checksum = await readChecked(
      into,
      async (piece, at) => {
        asked.push(at)
        piece.set(source.subarray(at, at + piece.length))
      },
      () => (askedForAll = [...asked]),
    )
    expect(askedForAll).to.deep.equal([0, PIECE, 2 * PIECE])
    expect(checksum).to.equal(await checksumOf(source))
    expect(into.equals(source)).to.equal(true)
  })

  it('is another when one bit is, wherever it is, and when two words change places', async () => {
    const bytes = randomBytes(PIECE + 77)
    const seen = new Set([await checksumOf(bytes)])
    for (const at of [0, 15, 16, PIECE - 1, PIECE, PIECE + 76]) {
      const changed = Buffer.from(bytes)
      changed[at]! ^= 1
      seen.add(await checksumOf(changed))
    }
    const [head, next] = [bytes.subarray(0, 16), bytes.subarray(16, 32)]
    seen.add(await checksumOf(Buffer.concat([next, head, bytes.subarray(32)])))
    seen.add(await checksumOf(bytes.subarray(0, -1)))
    seen.add(await checksumOf(Buffer.concat([bytes, Buffer.alloc(1)])))
    expect(seen.size).to.equal(10)
  })

  it("is the tag of NIST's first case of AES-GCM for no bytes, and the same for ever", async () => {
    expect(await checksumOf(Buffer.alloc(0))).to.equal('58e2fccefa7e3061367f1d57a4e7455a')
    expect(await checksumOf(Buffer.from('kv'))).to.equal('54a63b2d21e33a4f5bce95ad18e2f513')
  })

  it('fails once when a later piece fails before an earlier one is there', async () => {
    const unheard: unknown[] = []
    const hear = (reason: unknown): number => unheard.push(reason)
    process.on('unhandledRejection', hear)
    try {
      const error = await rejection(
        readChecked(Buffer.alloc(2 * PIECE), async (_, at) => {
          if (at > 0) throw new Error('EIO')
          await new Promise(resolve => setTimeout(resolve, 20))
        }),
      )
      expect(error).to.have.property('message', 'EIO')
      expect(unheard).to.deep.equal([])
    } finally {
      process.off('unhandledRejection', hear)
    }
  })
})
