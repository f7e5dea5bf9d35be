import {expect} from 'chai'
import {ConfigurationError, ResourceError} from '../../../src/lib/foundation/index.js'
import {openCudaDriver, parseDevice, reserveCudaMemory} from '../../../src/lib/memory/index.js'
import {cudaStandIn, type Facts, type CudaStandIn} from '../../support/cuda/stand-in.js'
import {describeWith} from '../../support/requires.js'
import {itIsAReservation} from '../../support/reservation-suite.js'
import {temporaryFolder} from '../../support/temporary.js'

const PAGE = 2 ** 21

describe('a device', () => {
  it('is the CPU or a GPU by its CUDA number, as torch names them', () => {
    expect(parseDevice('cpu')).to.deep.equal({kind: 'cpu'})
    expect(['cuda', 'cuda:0', 'cuda:3', 'hip:1'].map(parseDevice)).to.deep.equal(
      [0, 0, 3, 1].map(ordinal => ({kind: 'cuda', ordinal})),
    )
    for (const text of ['gpu', 'cuda:', 'cuda:-1', 'cuda:1234', 'CPU', '']) {
      expect(() => parseDevice(text)).to.throw(ConfigurationError, `'${text}' is not a device`)
    }
  })

  it('that has no driver says so, and what else there is', () => {
    expect(() => openCudaDriver('/nowhere/libcuda.so.1'))
      .to.throw(ResourceError, '/nowhere/libcuda.so.1')
      .with.property('suggestions')
      .that.includes('use --device cpu')
  })
})

describeWith(['gcc|cc'], 'memory of a GPU', () => {
  const folder = temporaryFolder()
  let driver: CudaStandIn
  const start = (facts: Facts = {}): CudaStandIn => {
    driver = cudaStandIn(folder(), facts)
    process.env['KVCTL_TEST_CUDA_FOLDER'] = driver.env['KVCTL_TEST_CUDA_FOLDER']
    return driver
  }
  const reserve = (pages: {pageBytes: number; pageCount: number}, device = 0) =>
    reserveCudaMemory({...pages, device}, openCudaDriver(driver.library))
  beforeEach(() => void start())
  afterEach(() => {
    // Whatever was taken of the driver is back with it.
    expect(driver.counters()).to.satisfy(
      (held: ReturnType<CudaStandIn['counters']>) =>
        held === null ||
        [
          held.contexts,
          held.handles,
          held.physicalBytes,
          held.reservedBytes,
          held.pinnedBytes,
          held.streams,
        ].join() === '0,0,0,0,0,0',
      JSON.stringify(driver.counters()),
    )
    expect(driver.counters()?.wrongAbiCalls ?? 0).to.equal(0)
    delete process.env['KVCTL_TEST_CUDA_FOLDER']
  })

  describe('through the driver', () => itIsAReservation(pages => reserve(pages), PAGE))

  it('takes physical memory for mapped pages and for one page of zeros, and no more', () => {
    const memory = reserve({pageBytes: PAGE, pageCount: 8})
    const held = (): number => driver.counters()!.physicalBytes / PAGE
    expect(held()).to.equal(1)
    for (const page of [0, 3, 7]) memory.map(page)
    expect(held()).to.equal(1 + 3)
    // Every address of the range stays readable for kernels: nine pages' worth never, eight always.
    expect(driver.counters()!.mappedBytes / PAGE).to.equal(8)
    memory.unmap(3)
    expect(held()).to.equal(1 + 2)
    expect(driver.counters()!.mappedBytes / PAGE).to.equal(8)
    memory.release()
  })

  it('gives zeroed pages, though the driver does not', () => {
    const memory = reserve({pageBytes: PAGE, pageCount: 1})
    memory.map(0)
    const back = new Uint8Array(PAGE).fill(1)
    memory.gather([0], 1, PAGE, back)
    expect(back.every(byte => byte === 0)).to.equal(true)
    memory.release()
  })

  it('leaves a page without memory when the GPU has none, and maps it when there is some again', () => {
    const memory = reserve({pageBytes: PAGE, pageCount: 2})
    memory.map(0)
    driver.change({cuMemCreate: '!2'})
    expect(() => memory.map(1))
      .to.throw(ResourceError, 'no GPU memory')
      .with.property('code', 'MEMORY_EXHAUSTED')
    expect(memory.isMapped(1)).to.equal(false)
    driver.change({cuMemCreate: null})
    memory.map(1)
    memory.scatter([PAGE], 1, 1, Uint8Array.of(7))
    memory.release()
  })

  it('counts what others hold, and keeps a share of the GPU free', () => {
    start({'gpu.0.total_bytes': 100 * PAGE, context_bytes: 0})
    const memory = reserve({pageBytes: PAGE, pageCount: 2})
    expect(memory.availableBytes(1) / PAGE).to.equal(99)
    expect(Math.floor(memory.availableBytes(0.9) / PAGE)).to.equal(89)
    driver.change({'gpu.0.used_by_others': 95 * PAGE})
    expect(memory.availableBytes(1) / PAGE).to.equal(4)
    expect(memory.availableBytes(0.9)).to.equal(0)
    memory.release()
  })

  it('is taken of the GPU that was asked for', () => {
    start({gpus: 2, context_bytes: 0})
    const memory = reserve({pageBytes: PAGE, pageCount: 2}, 1)
    memory.map(0)
    expect(driver.counters()!.deviceBytes.slice(0, 2)).to.deep.equal([0, 2 * PAGE])
    memory.release()
  })

  it('refuses pages that the device cannot map, and devices that are not there, leaving nothing behind', () => {
    expect(() => reserve({pageBytes: PAGE + 4096, pageCount: 1}))
      .to.throw(ConfigurationError, `pages of ${PAGE + 4096} bytes; this device maps multiples of ${PAGE}`)
      .with.property('code', 'PAGE_SIZE_INVALID')
    expect(() => reserve({pageBytes: PAGE, pageCount: 1}, 9))
      .to.throw(ResourceError, 'CUDA device 9 cannot be used')
      .with.property('code', 'CUDA_UNAVAILABLE')
    driver.change({'gpu.0.attribute.102': 0})
    expect(() => reserve({pageBytes: PAGE, pageCount: 1})).to.throw(
      ResourceError,
      'no virtual memory management',
    )
    driver.change({'gpu.0.attribute.102': null, cuMemAddressReserve: '!2'})
    expect(() => reserve({pageBytes: PAGE, pageCount: 1})).to.throw(ResourceError, 'cannot reserve')
    driver.change({cuMemAddressReserve: null, cuMemSetAccess: '!1'})
    expect(() => reserve({pageBytes: PAGE, pageCount: 3})).to.throw(ResourceError, 'cuMemSetAccess')
  })
})
