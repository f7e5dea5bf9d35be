import {expect} from 'chai'
import {driverProbePath, probeCuda, type CudaLook} from '../../src/lib/gpu/index.js'
import {startWorker} from '../../src/lib/processes/index.js'
import {
  CUDA_ACCESS,
  CUDA_GRANULARITY,
  CUDA_HANDLE_TYPE,
  CUDA_LOCATION,
  cuMemAccessDesc,
  cuMemAllocationProp,
  loadCuda,
} from '../../src/native/cuda.js'
import {describeGpu, querySmi} from '../support/gpu/nvidia-smi.js'
import {recordGpuResults} from '../support/gpu/results.js'

describeGpu('CUDA on this machine', () => {
  const libraryPath = process.env['KVCTL_CUDA_PATH'] || null
  const look = async (): Promise<CudaLook> =>
    probeCuda({startProcess: () => startWorker(driverProbePath), ...{libraryPath, patienceMs: 60_000}})

  it('lists the devices that nvidia-smi lists', async () => {
    const rows = querySmi(['uuid', 'name', 'compute_cap', 'memory.total'])
    const {state, problem, devices, version} = await look()
    expect(state, problem ?? '').to.equal('ok')
    for (const device of devices) {
      const row = rows.find(({uuid}) => uuid === device.uuid)
      expect(row, `${device.uuid} in ${rows.map(({uuid}) => uuid).join(', ')}`).to.not.equal(undefined)
      expect(device.name).to.equal(row!['name'])
      expect(device.computeCapability).to.equal(row!['compute_cap'])
      expect(device.totalBytes / 2 ** 20).to.be.at.most(Number(row!['memory.total']))
    }
    recordGpuResults('cuda', {version, devices})
  })

  it('maps memory, uses it, and gives it back to the device', () => {
    const cuda = loadCuda(libraryPath)
    cuda.init()
    const device = cuda.deviceGet(0)
    cuda.ctxSetCurrent(cuda.devicePrimaryCtxRetain(device))
    try {
      const prop = cuMemAllocationProp({
        location: {type: CUDA_LOCATION.device, id: device},
        requestedHandleTypes: CUDA_HANDLE_TYPE.none,
      })
      const page = cuda.memGetAllocationGranularity(prop, CUDA_GRANULARITY.minimum)
      const pages = 64
      const base = cuda.memAddressReserve(pages * page)
      const before = cuda.memGetInfo().freeBytes
      for (let at = 0; at < pages; at++) {
        const handle = cuda.memCreate(page, prop)
        cuda.memMap(base + BigInt(at * page), page, handle)
        cuda.memRelease(handle)
      }
      cuda.memSetAccess(base, pages * page, cuMemAccessDesc(device, CUDA_ACCESS.readWrite))
      const during = cuda.memGetInfo().freeBytes
      const across = base + BigInt(page - 8)
      cuda.memsetD8(base, 0x5a, pages * page)
      const sent = Buffer.from('across two pages')
      cuda.memcpyHtoD(across, sent, sent.length)
      const back = Buffer.alloc(sent.length)
      cuda.memcpyDtoH(back, across, back.length)
      expect(back.toString()).to.equal('across two pages')
      cuda.memcpyDtoH(back, base, 1)
      expect(back[0]).to.equal(0x5a)
      for (let at = 0; at < pages; at++) cuda.memUnmap(base + BigInt(at * page), page)
      cuda.memAddressFree(base, pages * page)
      const after = cuda.memGetInfo().freeBytes
      expect(before - during).to.be.at.least((pages * page) / 2)
      expect(after - during).to.be.at.least((pages * page) / 2)
      recordGpuResults('virtual_memory', {granularity_bytes: page, mapped_bytes: before - during})
    } finally {
      cuda.devicePrimaryCtxRelease(device)
    }
  })

  it('says how long mapping and unmapping a page takes', () => {
    const cuda = loadCuda(libraryPath)
    cuda.init()
    cuda.ctxSetCurrent(cuda.devicePrimaryCtxRetain(0))
    try {
      const location = {type: CUDA_LOCATION.device, id: 0}
      const prop = cuMemAllocationProp({location, requestedHandleTypes: CUDA_HANDLE_TYPE.none})
      const access = cuMemAccessDesc(0, CUDA_ACCESS.readWrite)
      const page = cuda.memGetAllocationGranularity(prop, CUDA_GRANULARITY.minimum)
      const base = cuda.memAddressReserve(page)
      const times: Record<'map' | 'unmap', number[]> = {map: [], unmap: []}
      for (let lap = 0; lap < 100; lap++) {
        const startMs = performance.now()
        const handle = cuda.memCreate(page, prop)
        cuda.memMap(base, page, handle)
        cuda.memSetAccess(base, page, access)
        const betweenMs = performance.now()
        cuda.memUnmap(base, page)
        cuda.memRelease(handle)
        times.map.push(betweenMs - startMs)
        times.unmap.push(performance.now() - betweenMs)
      }
      cuda.memAddressFree(base, page)
      const median = (values: number[]): number => Number(values.sort((a, b) => a - b)[50]!.toFixed(4))
      recordGpuResults('page_ms', {map: median(times.map), unmap: median(times.unmap)})
    } finally {
      cuda.devicePrimaryCtxRelease(0)
    }
  })
})
