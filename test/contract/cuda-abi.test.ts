import {execFileSync} from 'node:child_process'
import {closeSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {CUDA_PROTOTYPES} from '../../src/native/cuda-functions.js'
import {CUDA_STATUS_CODES, cudaError} from '../../src/native/cuda-status.js'
import {CUDA_STRUCTS} from '../../src/native/cuda-structs.js'
import {
  CUDA,
  CUDA_ACCESS,
  CUDA_ATTRIBUTE,
  CUDA_EVENT,
  CUDA_GRANULARITY,
  CUDA_HANDLE_TYPE,
  CUDA_LOCATION,
  CUDA_STREAM,
  cuMemAccessDesc,
  cuMemAllocationProp,
  cuMemLocation,
  isFatalCudaStatus,
  loadCuda,
  type Cuda,
} from '../../src/native/cuda.js'
import {libc} from '../../src/native/libc.js'
import {NativeError} from '../../src/native/native-error.js'
import {CUDA_HEADER, cudaStandIn, type Facts, type CudaStandIn} from '../support/cuda/stand-in.js'
import {describeWith, findProgram} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'

const MIB = 2 ** 20
const PAGE = 2 * MIB

const statusOf = (action: () => unknown): number => {
  try {
    action()
  } catch (error) {
    if (error instanceof NativeError) return error.errno
    throw error
  }
  return CUDA.success
}

describe('native/cuda without a library', () => {
  it('says what the loader said when there is none', () => {
    let error: unknown
    try {
      loadCuda('/nowhere/libcuda.so.1')
    } catch (thrown) {
      error = thrown
    }
    expect(error).to.be.instanceOf(NativeError).and.include({syscall: 'dlopen', errno: 303})
    expect((error as NativeError).message).to.match(
      /^dlopen: CUDA_ERROR_SHARED_OBJECT_INIT_FAILED \(303\): a shared object could not be loaded: \/nowhere\/libcuda/,
    )
  })

  it('has a name and a text for every status of cuda.h, and for one that it has not', () => {
    for (const code of [
      ...[
        1, 2, 3, 4, 34, 46, 100, 101, 102, 201, 205, 206, 208, 211, 214, 215, 304, 400, 401, 500, 600, 700,
        702,
      ],
      ...[708, 709, 714, 800, 801, 802, 803, 804, 805, 999],
    ])
      expect(CUDA_STATUS_CODES).to.include(code)
    for (const code of CUDA_STATUS_CODES) {
      expect(cudaError('cuInit', code).code).to.match(/^CUDA_ERROR_[A-Z_]+$/)
      expect(cudaError('cuInit', code).message).to.match(/\(\d+\): [a-zA-Z].+/)
    }
    expect(cudaError('f', 2).message).to.equal('f: CUDA_ERROR_OUT_OF_MEMORY (2): out of memory')
    expect(cudaError('f', 77)).to.include({code: 'CUDA_ERROR_77', errno: 77})
  })

  it('knows which failures end a process’s use of the GPU', () => {
    expect([214, 700, 702, 709, 714].map(isFatalCudaStatus)).to.not.include(false)
    expect([1, 2, 201, 600].map(isFatalCudaStatus)).to.not.include(true)
  })

  it('writes the properties of exportable memory as gpu 3 expects them', () => {
    const prop = cuMemAllocationProp({
      location: {type: CUDA_LOCATION.device, id: 3},
      requestedHandleTypes: CUDA_HANDLE_TYPE.posixFd,
    })
    expect(prop.toString('hex')).to.equal(`01000000010000000100000003000000${'00'.repeat(16)}`)
    expect(cuMemAccessDesc(3, CUDA_ACCESS.readWrite).toString('hex')).to.equal('010000000300000003000000')
  })
})

describeWith(['gcc|cc'], 'native/cuda beside C', () => {
  const folder = temporaryFolder()
  const drive = (facts: Facts = {}, without?: readonly string[]): {cuda: Cuda; driver: CudaStandIn} => {
    const driver = cudaStandIn(folder(), facts, without)
    process.env['KVCTL_TEST_CUDA_FOLDER'] = driver.env['KVCTL_TEST_CUDA_FOLDER']
    return {cuda: loadCuda(driver.library), driver}
  }
  /** A driver whose device 0 has its context current. */
  const ready = (facts: Facts = {}, without?: readonly string[]): {cuda: Cuda; driver: CudaStandIn} => {
    const both = drive({context_bytes: MIB, 'gpu.0.total_bytes': 64 * MIB, ...facts}, without)
    both.cuda.init()
    both.cuda.ctxSetCurrent(both.cuda.devicePrimaryCtxRetain(0))
    return both
  }
  const prop = cuMemAllocationProp({
    location: {type: CUDA_LOCATION.device, id: 0},
    requestedHandleTypes: CUDA_HANDLE_TYPE.none,
  })
  const readWrite = cuMemAccessDesc(0, CUDA_ACCESS.readWrite)
  /** `pages` pages that the GPU may use, one mapping each. */
  const mapped = (cuda: Cuda, pages: number): {base: bigint; handles: bigint[]} => {
    const base = cuda.memAddressReserve(pages * PAGE)
    const handles = Array.from({length: pages}, (_, page) => {
      const handle = cuda.memCreate(PAGE, prop)
      cuda.memMap(base + BigInt(page * PAGE), PAGE, handle)
      return handle
    })
    cuda.memSetAccess(base, pages * PAGE, readWrite)
    return {base, handles}
  }
  afterEach(() => delete process.env['KVCTL_TEST_CUDA_FOLDER'])

  it('has the sizes and offsets that a C compiler gives each struct', () => {
    const entries = Object.entries(CUDA_STRUCTS)
    const facts = entries.flatMap(([type, {fields}]) => [
      `sizeof(${type})`,
      ...Object.keys(fields).flatMap(field => [
        `offsetof(${type}, ${field})`,
        `sizeof(((${type} *)0)->${field})`,
      ]),
    ])
    const ours = entries.flatMap(([, {bytes, fields}]) => [
      bytes,
      ...Object.values(fields).flatMap(([offset, length]: readonly [number, number]) => [offset, length]),
    ])
    const source = join(folder(), 'facts.c')
    writeFileSync(
      source,
      `#include <stddef.h>\n#include <stdio.h>\n#include "${CUDA_HEADER}"\nint main(void) {\n` +
        `${facts.map(fact => `  printf("%zu\\n", ${fact});`).join('\n')}\n  return 0;\n}\n`,
    )
    execFileSync(findProgram('gcc', 'cc')!, [source, '-o', join(folder(), 'facts')])
    const theirs = execFileSync(join(folder(), 'facts'), {encoding: 'utf8'}).trim().split('\n').map(Number)
    expect(facts.map((fact, index) => `${fact} = ${ours[index]}`)).to.deep.equal(
      facts.map((fact, index) => `${fact} = ${theirs[index]}`),
    )
  })

  it('takes of each function as many parameters, of such sizes, as the C declaration has', () => {
    const header = readFileSync(CUDA_HEADER, 'utf8')
    const letterOf = (parameter: string): string => {
      if (parameter.includes('*')) return 'p'
      if (/\b(CUcontext|CUstream|CUevent)\b/.test(parameter)) return 'p'
      if (/\b(size_t|uint64_t|CUdeviceptr|CUmemGenericAllocationHandle|long)\b/.test(parameter)) return '8'
      return /\bchar\b/.test(parameter) ? '1' : '4'
    }
    const letters = {i32: '4', u32: '4', u64: '8', u8: '1', size: '8', out: 'p', host: 'p', handle: 'p'}
    for (const [symbol, {takes}] of Object.entries(CUDA_PROTOTYPES)) {
      const [, parameters = '?'] = new RegExp(`CUresult ${symbol}\\(([^)]*)\\);`).exec(header) ?? []
      const theirs = parameters === 'void' ? [] : parameters.split(',').map(letterOf)
      expect(`${symbol} ${takes.map(parameter => letters[parameter]).join('')}`).to.equal(
        `${symbol} ${theirs.join('')}`,
      )
    }
  })

  it('reads what a device is without making a context', () => {
    const {cuda, driver} = drive({
      gpus: 2,
      driver_version: 12040,
      'gpu.1.name': 'NVIDIA H100 80GB HBM3',
      'gpu.1.uuid': '00112233445566778899aabbccddeeff',
      'gpu.1.total_bytes': 80 * 2 ** 30,
      'gpu.1.attribute.16': 114,
    })
    expect(cuda.driverVersion()).to.equal(12040)
    expect(statusOf(() => cuda.deviceCount())).to.equal(CUDA.notInitialized)
    cuda.init()
    expect(cuda.deviceCount()).to.equal(2)
    const device = cuda.deviceGet(1)
    expect(cuda.deviceName(device)).to.equal('NVIDIA H100 80GB HBM3')
    expect(cuda.deviceUuid(device)).to.equal('GPU-00112233-4455-6677-8899-aabbccddeeff')
    expect(cuda.devicePciBusId(device)).to.equal('0000:3c:00.0')
    expect(cuda.deviceTotalMem(device)).to.equal(80 * 2 ** 30)
    expect(cuda.deviceAttribute(device, CUDA_ATTRIBUTE.multiprocessors)).to.equal(114)
    expect(cuda.deviceAttribute(device, CUDA_ATTRIBUTE.hasVirtualMemory)).to.equal(1)
    expect(statusOf(() => cuda.deviceGet(2))).to.equal(CUDA.invalidDevice)
    expect(cuda.devicePrimaryCtxState(device)).to.deep.equal({flags: 0, isActive: false})
    expect(driver.counters()).to.include({contexts: 0})
  })

  it('says the driver’s own word for a status, before anything else is called', () => {
    const {cuda} = drive()
    expect([cuda.errorName(2), cuda.errorString(2)]).to.deep.equal([
      'CUDA_ERROR_OUT_OF_MEMORY',
      'out of memory',
    ])
    expect(cuda.errorName(77)).to.equal(null)
  })

  it('names call and meaning where there is no GPU, and where the library is a stub', () => {
    const {cuda, driver} = drive({gpus: 0})
    expect(() => cuda.init()).to.throw(
      NativeError,
      'cuInit: CUDA_ERROR_NO_DEVICE (100): there is no CUDA device',
    )
    driver.change({cuInit: '!34'})
    expect(statusOf(() => cuda.init())).to.equal(CUDA.stubLibrary)
  })

  it('binds the versioned names, or asks the driver for them, and never the ones of another age', () => {
    const versioned = Object.keys(CUDA_PROTOTYPES).filter(symbol => symbol.endsWith('_v2'))
    for (const without of [[], versioned]) {
      const {cuda, driver} = ready({}, without)
      const address = cuda.memAlloc(PAGE)
      cuda.memsetD8(address, 7, 16)
      const bytes = Buffer.alloc(16)
      cuda.memcpyDtoH(bytes, address, 16)
      expect([...bytes]).to.deep.equal(Array<number>(16).fill(7))
      cuda.memFree(address)
      expect(versioned.filter(symbol => !cuda.has(symbol as keyof typeof CUDA_PROTOTYPES))).to.deep.equal([])
      cuda.devicePrimaryCtxRelease(0)
      expect(driver.counters()).to.include({wrongAbiCalls: 0, contexts: 0, physicalBytes: 0})
    }
  })

  it('takes an older name only where it means the same, and a missing function for a missing feature', () => {
    const without = ['cuGetProcAddress_v2', 'cuDeviceGetUuid_v2', 'cuMemAlloc_v2', 'cuMemCreate', 'cuMemMap']
    const {cuda, driver} = ready({}, without)
    expect(cuda.deviceUuid(0)).to.match(/^GPU-/)
    expect(cuda.has('cuMemCreate')).to.equal(false)
    expect(() => cuda.memCreate(PAGE, prop)).to.throw(NativeError, 'cuMemCreate: CUDA_ERROR_NOT_FOUND (500)')
    expect(statusOf(() => cuda.memAlloc(PAGE))).to.equal(CUDA.notFound)
    expect(driver.counters()).to.include({wrongAbiCalls: 0})
  })

  it('maps memory into a reservation, copies both ways, and gives all of it back', () => {
    const {cuda, driver} = ready()
    expect(cuda.memGetAllocationGranularity(prop, CUDA_GRANULARITY.minimum)).to.equal(PAGE)
    const {base, handles} = mapped(cuda, 2)
    expect(cuda.memGetInfo()).to.deep.equal({freeBytes: 59 * MIB, totalBytes: 64 * MIB})
    expect(cuda.memGetAccess(base, cuMemLocation(0))).to.equal(CUDA_ACCESS.readWrite)
    const sent = Buffer.from('across two mappings')
    const at = base + BigInt(PAGE - 6)
    cuda.memcpyHtoD(at, sent, sent.length)
    cuda.memcpyDtoD(base, at, sent.length)
    const back = new Uint8Array(sent.length)
    cuda.memcpyDtoH(back, base, back.length)
    expect(Buffer.from(back).toString()).to.equal('across two mappings')
    cuda.memsetD32(base, 0x01020304, 2)
    cuda.memcpyDtoH(back, base, 8)
    expect([...back.subarray(0, 8)]).to.deep.equal([4, 3, 2, 1, 4, 3, 2, 1])
    for (const handle of handles) cuda.memRelease(handle)
    expect(driver.counters()).to.include({handles: 0, physicalBytes: 2 * PAGE, mappedBytes: 2 * PAGE})
    cuda.memUnmap(base, PAGE)
    expect(driver.counters()).to.include({physicalBytes: PAGE, mappedBytes: PAGE})
    cuda.memUnmap(base + BigInt(PAGE), PAGE)
    cuda.memAddressFree(base, 2 * PAGE)
    cuda.devicePrimaryCtxRelease(0)
    expect(driver.counters()).to.include({contexts: 0, handles: 0, physicalBytes: 0, reservedBytes: 0})
    expect(driver.counters()!.deviceBytes[0]).to.equal(0)
  })

  it('refuses what the driver refuses', () => {
    const {cuda, driver} = ready({'gpu.0.used_by_others': 50 * MIB})
    const base = cuda.memAddressReserve(4 * PAGE)
    const handle = cuda.memCreate(PAGE, prop)
    const page = (index: number): bigint => base + BigInt(index * PAGE)
    cuda.memMap(page(1), PAGE, handle)
    const refusals: Record<string, readonly [number, () => unknown]> = {
      'a size that is no multiple of the granularity': [1, () => cuda.memCreate(PAGE + 4096, prop)],
      'mapping twice': [1, () => cuda.memMap(page(1), PAGE, handle)],
      'mapping outside a reservation': [1, () => cuda.memMap(page(4), PAGE, handle)],
      'mapping more than there is': [1, () => cuda.memMap(page(2), 2 * PAGE, handle)],
      'an offset below a page': [1, () => cuda.memMap(page(2) + 4096n, PAGE, handle)],
      'unmapping what is not mapped': [1, () => cuda.memUnmap(page(2), PAGE)],
      'unmapping with a gap': [1, () => cuda.memUnmap(page(0), 2 * PAGE)],
      'access where nothing is mapped': [1, () => cuda.memSetAccess(page(0), 2 * PAGE, readWrite)],
      'freeing addresses that are mapped': [1, () => cuda.memAddressFree(base, 4 * PAGE)],
      'freeing part of a reservation': [1, () => cuda.memAddressFree(base, PAGE)],
      'more than the device has left': [CUDA.outOfMemory, () => cuda.memCreate(16 * MIB, prop)],
      'exporting what was not made for it': [1, () => cuda.memExportToFileDescriptor(handle)],
      'an unknown handle': [1, () => cuda.memRelease(12345n)],
      'a copy to no device address': [1, () => cuda.memcpyHtoD(4096n, Buffer.alloc(1), 1)],
    }
    const found = Object.entries(refusals).map(([what, [, act]]) => [what, statusOf(act)])
    expect(found).to.deep.equal(Object.entries(refusals).map(([what, [code]]) => [what, code]))
    cuda.memRelease(handle)
    expect(statusOf(() => cuda.memRelease(handle))).to.equal(CUDA.invalidValue)
    cuda.memUnmap(page(1), PAGE)
    expect(driver.counters()).to.include({handles: 0, mappedBytes: 0, physicalBytes: 0})
  })

  it('needs a context for copies, one a thread, kept on a stack', () => {
    const {cuda} = drive({gpus: 2, context_bytes: MIB})
    cuda.init()
    expect(statusOf(() => cuda.memGetInfo())).to.equal(CUDA.invalidContext)
    const [one, two] = [cuda.devicePrimaryCtxRetain(0), cuda.devicePrimaryCtxRetain(1)]
    cuda.ctxSetCurrent(one)
    cuda.ctxPushCurrent(two)
    expect(cuda.ctxGetCurrent()).to.equal(two)
    expect(cuda.ctxPopCurrent()).to.equal(two)
    expect(cuda.ctxGetCurrent()).to.equal(one)
    cuda.devicePrimaryCtxRelease(0)
    expect(statusOf(() => cuda.memGetInfo())).to.equal(709)
  })

  it('faults for good when memory is touched before access is given', () => {
    const {cuda} = ready()
    const base = cuda.memAddressReserve(PAGE)
    cuda.memMap(base, PAGE, cuda.memCreate(PAGE, prop))
    expect(statusOf(() => cuda.memsetD8(base, 0, 1))).to.equal(CUDA.illegalAddress)
    expect(statusOf(() => cuda.memSetAccess(base, PAGE, readWrite))).to.equal(CUDA.illegalAddress)
    expect(statusOf(() => cuda.memGetInfo())).to.equal(CUDA.illegalAddress)
  })

  it('lets a GPU read what it may only read', () => {
    const {cuda} = ready()
    const {base} = mapped(cuda, 1)
    cuda.memSetAccess(base, PAGE, cuMemAccessDesc(0, CUDA_ACCESS.read))
    const byte = Buffer.alloc(1)
    cuda.memcpyDtoH(byte, base, 1)
    expect(byte[0]).to.equal(0xa5)
    expect(statusOf(() => cuda.memcpyHtoD(base, byte, 1))).to.equal(CUDA.illegalAddress)
  })

  it('copies asynchronously through pinned memory: the bytes are there when the stream or event says so', () => {
    const {cuda, driver} = ready()
    const {base} = mapped(cuda, 1)
    const stream = cuda.streamCreate(CUDA_STREAM.nonBlocking)
    const [start, end] = [cuda.eventCreate(CUDA_EVENT.default), cuda.eventCreate(CUDA_EVENT.default)]
    const pinned = cuda.memHostAlloc(4096, 0)
    const bytes = new Uint8Array(libc.view(pinned, 4096))
    bytes.set([1, 2, 3], 0)
    cuda.eventRecord(start, stream)
    cuda.memcpyHtoDAsync(base, pinned, 3, stream)
    cuda.memcpyDtoDAsync(base + 64n, base, 3, stream)
    cuda.memcpyDtoHAsync(pinned + 16n, base + 64n, 3, stream)
    cuda.memsetD8Async(base, 9, 3, stream)
    cuda.eventRecord(end, stream)
    expect([...bytes.subarray(16, 19)]).to.deep.equal([0, 0, 0])
    expect(cuda.eventIsDone(end)).to.equal(false)
    expect(cuda.eventIsDone(end)).to.equal(true)
    expect([...bytes.subarray(16, 19)]).to.deep.equal([1, 2, 3])
    expect(cuda.eventElapsedMs(start, end)).to.be.at.least(0)
    cuda.memcpyDtoHAsync(pinned, base, 3, stream)
    expect(cuda.streamIsDone(stream)).to.equal(false)
    cuda.streamSynchronize(stream)
    expect([...bytes.subarray(0, 3)]).to.deep.equal([9, 9, 9])
    cuda.eventDestroy(start)
    cuda.eventDestroy(end)
    cuda.streamDestroy(stream)
    cuda.memFreeHost(pinned)
    expect(driver.counters()).to.include({streams: 0, events: 0, pinnedBytes: 0})
  })

  it('locks host memory that is there already, once', () => {
    const {cuda, driver} = ready()
    const place = libc.mmap(null, 8192, 3, 0x22, -1, 0)
    cuda.memHostRegister(place, 8192, 0)
    expect(statusOf(() => cuda.memHostRegister(place, 4096, 0))).to.equal(712)
    expect(driver.counters()).to.include({pinnedBytes: 8192})
    cuda.memHostUnregister(place)
    expect(statusOf(() => cuda.memHostUnregister(place))).to.equal(713)
    libc.munmap(place, 8192)
  })

  it('shares memory by a file descriptor, which stands for the same bytes', () => {
    const {cuda, driver} = ready()
    const shared = cuMemAllocationProp({
      location: {type: CUDA_LOCATION.device, id: 0},
      requestedHandleTypes: CUDA_HANDLE_TYPE.posixFd,
    })
    const base = cuda.memAddressReserve(2 * PAGE)
    const handle = cuda.memCreate(PAGE, shared)
    expect(cuda.memGetAllocationProperties(handle)).to.deep.equal({
      location: {type: 1, id: 0},
      requestedHandleTypes: 1,
    })
    const fd = cuda.memExportToFileDescriptor(handle)
    const again = cuda.memImportFromFileDescriptor(fd)
    closeSync(fd)
    cuda.memMap(base, PAGE, handle)
    cuda.memMap(base + BigInt(PAGE), PAGE, again)
    cuda.memSetAccess(base, 2 * PAGE, readWrite)
    cuda.memsetD8(base, 42, 1)
    const byte = Buffer.alloc(1)
    cuda.memcpyDtoH(byte, base + BigInt(PAGE), 1)
    expect(byte[0]).to.equal(42)
    expect(cuda.memRetainAllocationHandle(base)).to.equal(handle)
    for (let reference = 0; reference < 3; reference++) cuda.memRelease(handle)
    cuda.memUnmap(base, 2 * PAGE)
    expect(driver.counters()).to.include({handles: 0, physicalBytes: 0})
  })

  it('fails with the number that the driver gives, at the call where it gives it', () => {
    const {cuda, driver} = ready()
    driver.change({cuMemCreate: '!2'})
    expect(() => cuda.memCreate(PAGE, prop)).to.throw(
      NativeError,
      'cuMemCreate: CUDA_ERROR_OUT_OF_MEMORY (2)',
    )
    driver.change({cuMemCreate: null})
    expect(cuda.memCreate(PAGE, prop)).to.be.a('bigint')
  })
})
