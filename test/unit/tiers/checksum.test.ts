import {crc32} from 'node:zlib'
import {expect} from 'chai'
import {readChecked} from '../../../src/lib/tiers/checksum.js'
import {rejection} from '../../support/rejection.js'

const PIECE = 4 * 2 ** 20

describe('a chunk that is checked while it is read', () => {
  it('has the checksum of all of it', async () => {
    const source = Buffer.alloc(2 * PIECE + 5, 'kv')
    const into = Buffer.alloc(source.length)
    const crc = await readChecked(into, (piece, at) => {
      piece.set(source.subarray(at, at + piece.length))
      return Promise.resolve()
    })
    expect(crc).to.equal(crc32(source))
    expect(into.equals(source)).to.equal(true)
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
