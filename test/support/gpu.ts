import {openCudaDriver, reserveCudaMemory} from '../../src/lib/memory/index.js'
import type {Cuda} from '../../src/native/cuda.js'

/** `describe` for tests on GPU 0 as it is; skipped, with the driver's own words, where there is none. */
export function describeOnGpu(title: string, suite: (driver: Cuda) => void): void {
  let driver: Cuda
  try {
    driver = openCudaDriver(process.env['KVCTL_CUDA_PATH'] || null)
    reserveCudaMemory({pageBytes: 2 ** 21, pageCount: 1, device: 0}, driver).release()
  } catch (error) {
    describe.skip(`${title} (skipped: ${(error as Error).message})`, () => it('needs a GPU'))
    return
  }
  describe(title, () => suite(driver))
}
