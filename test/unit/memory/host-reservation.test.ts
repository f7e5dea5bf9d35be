import {readdirSync} from 'node:fs'
import {expect} from 'chai'
import {ResourceError} from '../../../src/lib/foundation/index.js'
import {reserveHostMemory} from '../../../src/lib/memory/index.js'
import {libc} from '../../../src/native/libc.js'
import {NativeError} from '../../../src/native/native-error.js'
import {itIsAReservation} from '../../support/reservation-suite.js'

describe('host memory', () => {
  const pageBytes = 2 ** 20
  itIsAReservation(pages => reserveHostMemory({...pages, name: 'kvctl-test'}), pageBytes)

  it('closes its file when it is released', () => {
    const openFiles = readdirSync('/proc/self/fd').length
    const memory = reserveHostMemory({pageBytes, pageCount: 8, name: 'kvctl-test'})
    expect(readdirSync('/proc/self/fd')).to.have.length(openFiles + 1)
    memory.release()
    expect(readdirSync('/proc/self/fd')).to.have.length(openFiles)
  })

  it('holds ranges longer than one view may be', () => {
    const large = reserveHostMemory({pageBytes: 2 ** 22, pageCount: 1500, name: 'kvctl-test-large'})
    try {
      for (const page of [255, 256, 1499]) {
        large.map(page)
        large.scatter([page * 2 ** 22 + 5], 1, 1, Uint8Array.of(page % 251))
      }
      const back = new Uint8Array(3)
      large.gather(
        [255, 256, 1499].map(page => page * 2 ** 22 + 5),
        3,
        1,
        back,
      )
      expect([...back]).to.deep.equal([255 % 251, 256 % 251, 1499 % 251])
    } finally {
      large.release()
    }
  })

  it('says so when the machine has no memory left', () => {
    const full = {
      ...libc,
      fallocate(fd: number, mode: number, offset: number, bytes: number) {
        if (mode === 0) throw new NativeError('fallocate', 28, 'ENOSPC', 'No space left on device')
        libc.fallocate(fd, mode, offset, bytes)
      },
    }
    const poor = reserveHostMemory({pageBytes, pageCount: 1, name: 'kvctl-test-poor'}, full)
    expect(() => poor.map(0)).to.throw(ResourceError, 'no memory for another 1048576 bytes')
    expect(poor.isMapped(0)).to.equal(false)
    poor.release()
  })

  it('refuses pages of impossible sizes', () => {
    for (const size of [0, 4095, 5000, 2 ** 31]) {
      expect(() => reserveHostMemory({pageBytes: size, pageCount: 1, name: 'x'})).to.throw(RangeError)
    }
  })
})
