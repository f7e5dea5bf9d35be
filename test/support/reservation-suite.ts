import {expect} from 'chai'
import type {PageReserve, Reservation} from '../../src/lib/memory/index.js'

/** What every kind of memory has to do, as tests of the suite around; pages are `pageBytes` large. */
export function itIsAReservation(reserve: PageReserve, pageBytes: number): void {
  let memory: Reservation
  beforeEach(() => {
    memory = reserve({pageBytes, pageCount: 8})
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

  it('reads many things at once, more than fit into whatever is between, as they were written before', () => {
    for (const page of [1, 2, 4]) memory.map(page)
    const bytes = Uint8Array.from({length: 2 * pageBytes}, (_, index) => (index * 13 + (index >> 11)) % 249)
    memory.scatter([pageBytes, 4 * pageBytes], 2, pageBytes, bytes)
    // Who writes may use its bytes again at once.
    const changed = bytes.slice()
    memory.scatter([2 * pageBytes], 1, pageBytes, changed.subarray(pageBytes))
    changed.fill(0)
    const sizes = [3, pageBytes, 16, pageBytes, pageBytes]
    const starts = [pageBytes + 5, pageBytes, 4 * pageBytes + 7, 4 * pageBytes, 2 * pageBytes]
    const reads = starts.map((start, index) => ({
      ...{offsets: [start], count: 1, bytesEach: sizes[index]!},
      into: new Uint8Array(sizes[index]!),
    }))
    memory.gatherAll(reads)
    const at = (start: number, size: number): Uint8Array => bytes.slice(start, start + size)
    const expected = [
      at(5, 3),
      at(0, pageBytes),
      at(pageBytes + 7, 16),
      at(pageBytes, pageBytes),
      at(pageBytes, pageBytes),
    ]
    reads.forEach(({into}, index) =>
      expect(Buffer.compare(into, expected[index]!), `read ${index}`).to.equal(0),
    )
    memory.settle()
  })

  it('gives several pages back at once', () => {
    for (const page of [0, 1, 2]) memory.map(page)
    memory.unmap(2, 0, 2, 7)
    expect([0, 1, 2].map(page => memory.isMapped(page))).to.deep.equal([false, true, false])
    expect(memory.residentBytes()).to.equal(pageBytes)
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
    memory.release()
    memory.release()
    expect(() => memory.gather([0], 1, 1, new Uint8Array(1))).to.throw(RangeError)
    expect(() => memory.map(0)).to.throw(RangeError, 'released')
    expect(memory.residentBytes()).to.equal(0)
  })

  it('lets two of them live beside each other', () => {
    const other = reserve({pageBytes, pageCount: 2})
    try {
      memory.map(0)
      other.map(0)
      memory.scatter([1], 1, 1, Uint8Array.of(1))
      other.scatter([1], 1, 1, Uint8Array.of(2))
      const back = new Uint8Array(1)
      memory.gather([1], 1, 1, back)
      expect(back[0]).to.equal(1)
    } finally {
      other.release()
    }
  })

  it('moves more at once than fits into whatever is between', () => {
    memory.map(2)
    memory.map(3)
    const bytes = Uint8Array.from({length: 2 * pageBytes}, (_, index) => (index * 31 + (index >> 9)) % 253)
    memory.scatter([2 * pageBytes, 3 * pageBytes], 2, pageBytes, bytes)
    const back = new Uint8Array(2 * pageBytes)
    memory.gather([2 * pageBytes, 3 * pageBytes], 2, pageBytes, back)
    expect(Buffer.compare(back, bytes)).to.equal(0)
  })

  it('says how much it could still map', () => {
    expect(memory.availableBytes(1)).to.be.above(0)
    expect(memory.availableBytes(1e-9)).to.be.at.most(memory.availableBytes(1))
  })
}
