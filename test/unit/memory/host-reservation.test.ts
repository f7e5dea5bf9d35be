import {readdirSync} from 'node:fs'
import {expect} from 'chai'
import {ResourceError} from '../../../src/lib/foundation/index.js'
import {reserveHostMemory, type Reservation} from '../../../src/lib/memory/index.js'
import {libc} from '../../../src/native/libc.js'
import {NativeError} from '../../../src/native/native-error.js'

describe('host memory', () => {
  const pageBytes = 2 ** 20
  let memory: Reservation

  beforeEach(() => {
    memory = reserveHostMemory({pageBytes, pageCount: 8, name: 'kvctl-test'})
  })
  afterEach(() => memory.release())

  it('costs nothing until a page is mapped, and gives it back when unmapped', () => {
    expect(memory.residentBytes()).to.equal(0)
    memory.map(3)
    memory.map(3)
    memory.map(5)
    expect(memory.residentBytes()).to.equal(2 * pageBytes)
    memory.unmap(3)
    memory.unmap(3)
    expect(memory.residentBytes()).to.equal(pageBytes)
  })

  it('moves bytes in and out, of any length and at any offset', () => {
    memory.map(1)
    memory.map(2)
    for (const bytesEach of [1, 3, 4, 16, 64, 65, 2048]) {
      const offsets = [pageBytes + 17, 2 * pageBytes + 4096, 3 * pageBytes - bytesEach]
      const bytes = Uint8Array.from({length: 3 * bytesEach}, (_, index) => (index * 7 + bytesEach) % 251)
      memory.scatter(offsets, 3, bytesEach, bytes)
      const back = new Uint8Array(3 * bytesEach)
      memory.gather(offsets, 3, bytesEach, back)
      expect(back).to.deep.equal(bytes)
    }
  })

  it('copies between pages', () => {
    memory.map(0)
    memory.map(7)
    memory.scatter([100], 1, 5, Uint8Array.from([1, 2, 3, 4, 5]))
    memory.copyWithin(7 * pageBytes + 8, 100, 5)
    const back = new Uint8Array(7)
    memory.gather([7 * pageBytes + 7], 1, 7, back)
    expect([...back]).to.deep.equal([0, 1, 2, 3, 4, 5, 0])
  })

  it('loses the bytes of an unmapped page', () => {
    memory.map(0)
    memory.scatter([0], 1, 2, Uint8Array.from([9, 9]))
    memory.unmap(0)
    memory.map(0)
    const back = new Uint8Array(2)
    memory.gather([0], 1, 2, back)
    expect([...back]).to.deep.equal([0, 0])
  })

  it('refuses to touch what has no memory, instead of ending the process', () => {
    memory.map(1)
    const byte = new Uint8Array(8)
    for (const offset of [0, pageBytes - 4, 2 * pageBytes - 4, 2 * pageBytes, 8 * pageBytes, -8, NaN]) {
      expect(() => memory.gather([offset], 1, 8, byte), `gather at ${offset}`).to.throw(RangeError)
      expect(() => memory.scatter([offset], 1, 8, byte), `scatter at ${offset}`).to.throw(RangeError)
      expect(() => memory.copyWithin(pageBytes, offset, 8), `copy from ${offset}`).to.throw(RangeError)
      expect(() => memory.copyWithin(offset, pageBytes, 8), `copy to ${offset}`).to.throw(RangeError)
    }
    for (const page of [-1, 8, 0.5]) expect(() => memory.map(page)).to.throw(RangeError, `page ${page} of 8`)
  })

  it('can be used no more after it was released, which may happen twice', () => {
    memory.map(0)
    const openFiles = readdirSync('/proc/self/fd').length
    memory.release()
    memory.release()
    expect(readdirSync('/proc/self/fd')).to.have.length(openFiles - 1)
    expect(() => memory.gather([0], 1, 1, new Uint8Array(1))).to.throw(RangeError)
    expect(() => memory.map(0)).to.throw(RangeError, 'released')
    expect(memory.residentBytes()).to.equal(0)
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
