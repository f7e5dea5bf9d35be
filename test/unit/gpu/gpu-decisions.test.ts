import {expect} from 'chai'
import {explainDriver, findGpu, type DriverLook, type GpusLook} from '../../../src/lib/gpu/index.js'
import {driverTrouble} from '../../../src/lib/gpu/driver-state.js'
import {throttleReasons} from '../../../src/lib/gpu/figures.js'
import {joinLists} from '../../../src/lib/gpu/gpu-processes.js'
import {unreadGpu} from '../../../src/lib/gpu/gpu-session.js'
import {ResourceError} from '../../../src/lib/foundation/index.js'

const driver: DriverLook = {
  state: 'ok',
  problem: null,
  driverVersion: '550',
  nvmlVersion: null,
  cudaVersion: null,
}
const gpus = [0, 1].map(index => ({...unreadGpu(index, 'ok', 'no_data'), uuid: `GPU-aa-${index}`}))
const look: GpusLook = {takenAtMs: 0, tookMs: 0, driver, gpus}
const failureOf = (action: () => unknown): ResourceError => {
  try {
    action()
  } catch (error) {
    if (error instanceof ResourceError) return error
    throw error
  }
  throw new Error('did not fail')
}

describe('a GPU by the name a user gives it', () => {
  it('is found by index and by UUID in any case', () => {
    expect(findGpu(look, '1')).to.equal(gpus[1])
    expect(findGpu(look, 'gpu-AA-0')).to.equal(gpus[0])
  })

  it('is told from those there are when there is none', () => {
    const error = failureOf(() => findGpu(look, '2'))
    expect(error).to.include({code: 'GPU_NOT_FOUND', exitCode: 4})
    expect(error.message).to.equal("there is no GPU '2'; there are 0 (GPU-aa-0), 1 (GPU-aa-1)")
    expect(failureOf(() => findGpu({...look, gpus: []}, '0')).message).to.contain('runs without any')
  })

  it('is not looked for without a driver', () => {
    const broken = {...look, driver: driverTrouble(9, 'Driver Not Loaded')}
    expect(failureOf(() => findGpu(broken, '0')).code).to.equal('NVML_UNAVAILABLE')
  })
})

describe('what is wrong with a driver', () => {
  it('is nothing when it runs, with or without GPUs', () => {
    expect(explainDriver(driver)).to.equal(null)
    expect(explainDriver(driverTrouble(28, 'No supported GPUs were found'))).to.equal(null)
  })

  it('is said in a sentence with the library’s words and something to do', () => {
    for (const status of [12, 13, 9, 18, 4, 999, 20, 77]) {
      const error = explainDriver(driverTrouble(status, 'its words'))!
      expect(error).to.include({code: 'NVML_UNAVAILABLE', exitCode: 4})
      expect(error.message).to.match(/^[a-z].*\(its words\)$/)
      expect(error.suggestions.length).to.be.greaterThan(0)
    }
  })
})

describe('words for clock event bits', () => {
  it('are those of nvml.h, and hexadecimal for a bit that it has not yet', () => {
    expect(throttleReasons(0)).to.deep.equal([])
    expect(throttleReasons(0x1)).to.deep.equal(['idle'])
    expect(throttleReasons(0x8 | 0x80 | 0x1000)).to.deep.equal([
      'hardware_slowdown',
      'hardware_power_brake',
      '0x1000',
    ])
  })
})

describe('process lists of one device', () => {
  const process = (pid: number, usedBytes: number | null) => ({
    pid,
    usedBytes,
    gpuInstanceId: null,
    computeInstanceId: null,
  })

  it('make one row for each process, which does not count its memory twice', () => {
    const rows = joinLists(
      [
        ['compute', [process(9, 100), process(3, null)]],
        ['graphics', [process(9, 120)]],
      ],
      new Map([[9, 55]]),
    )
    expect(
      rows.map(({pid, kinds, usedBytes, smPercent}) => [pid, kinds, usedBytes, smPercent]),
    ).to.deep.equal([
      [3, ['compute'], null, 0],
      [9, ['compute', 'graphics'], 120, 55],
    ])
  })

  it('know no share of the SMs where the GPU does not tell', () => {
    expect(joinLists([['compute', [process(1, 1)]]], null)[0]!.smPercent).to.equal(null)
  })
})
