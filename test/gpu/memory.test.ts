import {expect} from 'chai'
import {reserveCudaMemory} from '../../src/lib/memory/index.js'
import {describeOnGpu} from '../support/gpu.js'
import {itIsAReservation} from '../support/reservation-suite.js'

const PAGE = 2 ** 21

describeOnGpu('memory of a real GPU', driver => {
  itIsAReservation(pages => reserveCudaMemory({...pages, device: 0}, driver), PAGE)

  it('leaves the GPU while it is not mapped', () => {
    const memory = reserveCudaMemory({pageBytes: PAGE, pageCount: 256, device: 0}, driver)
    try {
      const freeBytes = (): number => memory.availableBytes(1)
      const before = freeBytes()
      for (let page = 0; page < 256; page++) memory.map(page)
      // Others may use the GPU too; half a GiB of ours is hard to overlook.
      expect(before - freeBytes()).to.be.at.least(128 * PAGE)
      for (let page = 0; page < 256; page++) memory.unmap(page)
      expect(before - freeBytes()).to.be.below(128 * PAGE)
    } finally {
      memory.release()
    }
  })
})
