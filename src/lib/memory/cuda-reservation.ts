import {ConfigurationError, isSystemError, ResourceError} from '../foundation/index.js'
import {
  CUDA,
  CUDA_ACCESS,
  CUDA_ATTRIBUTE,
  CUDA_GRANULARITY,
  CUDA_HANDLE_TYPE,
  CUDA_HOST,
  CUDA_LOCATION,
  CUDA_STREAM,
  cuMemAccessDesc,
  cuMemAllocationProp,
  loadCuda,
  type Cuda,
  type CuContext,
  type CuDevicePtr,
  type CuMemHandle,
  type CuStream,
} from '../../native/cuda.js'
import {libc, type Address, type Libc} from '../../native/libc.js'
import type {Read, Reservation} from './reservation.js'

export interface CudaReservationOptions {
  /** A multiple of the driver's granularity, mostly 2 MiB. */
  readonly pageBytes: number
  readonly pageCount: number
  /** CUDA's own number, as `CUDA_VISIBLE_DEVICES` leaves it; not NVML's. */
  readonly device: number
  /** Page-locked memory through which all bytes go in and out; what is asked for at once is waited for once, up to so much. */
  readonly stagingBytes?: number
}

/**
 * Loads the CUDA driver's library and nothing in it yet.
 *
 * @param path null looks where drivers, containers and WSL put it
 * @throws ResourceError `CUDA_UNAVAILABLE`
 */
export function openCudaDriver(path: string | null): Cuda {
  try {
    return loadCuda(path)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ResourceError('CUDA_UNAVAILABLE', `the CUDA driver cannot be loaded: ${why}`, {
      cause: error,
      suggestions: ['install the NVIDIA driver, or name its library in KVCTL_CUDA_PATH', 'use --device cpu'],
    })
  }
}

/**
 * Memory of a GPU: a reserved range of device addresses in which every page is either memory of its own or one shared page,
 * zeroed at the start, so that a kernel which reads an unmapped page reads something.
 *
 * Takes the device's primary context and makes it current on the calling thread in every call. Zeroing, writing, copying and
 * reading follow each other in one stream; only reading, unmapping and {@link Reservation.settle} wait for it.
 *
 * @throws ConfigurationError `PAGE_SIZE_INVALID`; ResourceError `CUDA_UNAVAILABLE`, `MEMORY_UNAVAILABLE`
 * @see ovg-project/kvcached:csrc/ftensor.cpp — the same sequence of driver calls, and the zero page
 */
export function reserveCudaMemory(
  options: CudaReservationOptions,
  driver: Cuda,
  system: Libc = libc,
): Reservation {
  return new CudaReservation(options, driver, system)
}

/** All memory of a device. @throws ResourceError `CUDA_UNAVAILABLE` */
export function cudaMemoryBytes(driver: Cuda, device: number): number {
  try {
    return driver.deviceTotalMem(openDevice(driver, device))
  } catch (error) {
    throw explain(error, device, 0)
  }
}

class CudaReservation implements Reservation {
  readonly pageBytes: number
  readonly pageCount: number
  readonly isRemote = true
  readonly #driver: Cuda
  readonly #context: CuContext
  readonly #stream: CuStream
  readonly #base: CuDevicePtr
  readonly #zeroPage: CuMemHandle
  readonly #properties: Buffer
  readonly #access: Buffer
  readonly #staging: Address
  readonly #staged: Uint8Array
  readonly #stagingBytes: number
  /** From its start, bytes of it that copies under way still need. */
  #stagedBytes = 0
  readonly #isMapped: Uint8Array
  /** What gives back what was taken, last first. */
  readonly #undo: (() => void)[] = []
  #mappedPages = 0
  #isReleased = false

  constructor(options: CudaReservationOptions, driver: Cuda, system: Libc) {
    const {pageBytes, pageCount, device, stagingBytes = 2 ** 20} = options
    this.pageBytes = pageBytes
    this.pageCount = pageCount
    this.#stagingBytes = stagingBytes
    this.#driver = driver
    this.#isMapped = new Uint8Array(pageCount)
    this.#properties = cuMemAllocationProp({
      location: {type: CUDA_LOCATION.device, id: device},
      requestedHandleTypes: CUDA_HANDLE_TYPE.none,
    })
    this.#access = cuMemAccessDesc(device, CUDA_ACCESS.readWrite)
    const total = pageBytes * pageCount
    const undo = this.#undo
    try {
      const handle = openDevice(driver, device)
      this.#context = driver.devicePrimaryCtxRetain(handle)
      undo.push(() => driver.devicePrimaryCtxRelease(handle))
      this.#enter()
      checkPageBytes(
        pageBytes,
        driver.memGetAllocationGranularity(this.#properties, CUDA_GRANULARITY.minimum),
      )
      const stream = (this.#stream = driver.streamCreate(CUDA_STREAM.nonBlocking))
      undo.push(() => driver.streamDestroy(stream))
      const staging = (this.#staging = driver.memHostAlloc(stagingBytes, CUDA_HOST.portable))
      undo.push(() => driver.memFreeHost(staging))
      this.#staged = new Uint8Array(system.view(staging, stagingBytes))
      const base = (this.#base = driver.memAddressReserve(total))
      undo.push(() => driver.memAddressFree(base, total))
      const zeroPage = (this.#zeroPage = driver.memCreate(pageBytes, this.#properties))
      undo.push(() => driver.memRelease(zeroPage))
      this.#mapZeroPage()
    } catch (error) {
      this.#giveBack()
      throw explain(error, device, total)
    }
  }

  get address(): bigint {
    return this.#base
  }

  map(page: number): void {
    this.#checkPage(page)
    if (this.#isMapped[page] === 1) return
    this.#enter()
    const address = this.#addressOf(page)
    const memory = this.#create()
    try {
      this.#driver.memUnmap(address, this.pageBytes)
      this.#place(address, memory)
    } finally {
      // The mapping keeps the memory; without one it goes.
      this.#driver.memRelease(memory)
    }
    this.#isMapped[page] = 1
    this.#mappedPages++
    this.#driver.memsetD8Async(address, 0, this.pageBytes, this.#stream)
  }

  unmap(...pages: readonly number[]): void {
    for (const page of pages) this.#checkPage(page)
    const mapped = [...new Set(pages)].filter(page => this.#isMapped[page] === 1)
    if (mapped.length === 0) return
    this.#enter()
    // Whatever was told to read or write the pages has to be over, by whomever.
    this.#driver.ctxSynchronize()
    this.#stagedBytes = 0
    for (const page of mapped) {
      const address = this.#addressOf(page)
      this.#isMapped[page] = 0
      this.#mappedPages--
      this.#driver.memUnmap(address, this.pageBytes)
      this.#place(address, this.#zeroPage)
    }
  }

  isMapped(page: number): boolean {
    return this.#isMapped[page] === 1
  }

  gather(offsets: ArrayLike<number>, count: number, bytesEach: number, into: Uint8Array): void {
    this.gatherAll([{offsets, count, bytesEach, into}])
  }

  gatherAll(reads: readonly Read[]): void {
    for (const {offsets, count, bytesEach} of reads) this.#checkAll(offsets, count, bytesEach)
    this.#enter()
    /** Stretches of the staging memory, and where they belong. */
    let stretches: {from: number; to: number; into: Uint8Array; at: number}[] = []
    const takeOut = (): void => {
      this.settle()
      for (const {from, to, into, at} of stretches) into.set(this.#staged.subarray(from, to), at)
      stretches = []
    }
    for (const {offsets, count, bytesEach, into} of reads) {
      let [from, done] = [this.#stagedBytes, 0]
      const total = count * bytesEach
      for (let at = 0; at < total;) {
        if (this.#stagedBytes === this.#stagingBytes) {
          stretches.push({from, to: this.#stagingBytes, into, at: done})
          takeOut()
          ;[from, done] = [0, at]
        }
        const within = at % bytesEach
        const bytes = Math.min(bytesEach - within, this.#stagingBytes - this.#stagedBytes)
        const source = this.#base + BigInt(offsets[Math.floor(at / bytesEach)]! + within)
        this.#driver.memcpyDtoHAsync(this.#staging + BigInt(this.#stagedBytes), source, bytes, this.#stream)
        this.#stagedBytes += bytes
        at += bytes
      }
      stretches.push({from, to: this.#stagedBytes, into, at: done})
    }
    takeOut()
  }

  scatter(offsets: ArrayLike<number>, count: number, bytesEach: number, from: Uint8Array): void {
    this.#checkAll(offsets, count, bytesEach)
    this.#enter()
    const total = count * bytesEach
    for (let at = 0; at < total;) {
      // What is staged must stay as it is until it has been read.
      if (this.#stagedBytes === this.#stagingBytes) this.settle()
      const within = at % bytesEach
      const bytes = Math.min(bytesEach - within, this.#stagingBytes - this.#stagedBytes)
      this.#staged.set(from.subarray(at, at + bytes), this.#stagedBytes)
      const target = this.#base + BigInt(offsets[Math.floor(at / bytesEach)]! + within)
      this.#driver.memcpyHtoDAsync(target, this.#staging + BigInt(this.#stagedBytes), bytes, this.#stream)
      this.#stagedBytes += bytes
      at += bytes
    }
  }

  copyWithin(toOffset: number, fromOffset: number, bytes: number): void {
    this.#checkAll([toOffset, fromOffset], 2, bytes)
    this.#enter()
    const [to, from] = [this.#base + BigInt(toOffset), this.#base + BigInt(fromOffset)]
    this.#driver.memcpyDtoDAsync(to, from, bytes, this.#stream)
  }

  settle(): void {
    if (this.#isReleased) return
    this.#enter()
    this.#driver.streamSynchronize(this.#stream)
    this.#stagedBytes = 0
  }

  residentBytes(): number {
    return this.#mappedPages * this.pageBytes
  }

  availableBytes(utilization: number): number {
    if (this.#isReleased) return 0
    this.#enter()
    const {freeBytes, totalBytes} = this.#driver.memGetInfo()
    return Math.max(0, freeBytes - Math.trunc(totalBytes * (1 - utilization)))
  }

  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#isMapped.fill(0)
    this.#mappedPages = 0
    this.#giveBack()
  }

  /** Another reservation, or somebody else on this thread, may have made its own context current. */
  #enter(): void {
    this.#driver.ctxSetCurrent(this.#context)
  }

  #addressOf(page: number): CuDevicePtr {
    return this.#base + BigInt(page) * BigInt(this.pageBytes)
  }

  #create(): CuMemHandle {
    try {
      return this.#driver.memCreate(this.pageBytes, this.#properties)
    } catch (error) {
      if (!isSystemError(error, 'CUDA_ERROR_OUT_OF_MEMORY')) throw error
      throw new ResourceError(
        'MEMORY_EXHAUSTED',
        `no GPU memory for another ${this.pageBytes} bytes of KV cache`,
        {cause: error},
      )
    }
  }

  #place(address: CuDevicePtr, memory: CuMemHandle): void {
    this.#driver.memMap(address, this.pageBytes, memory)
    this.#driver.memSetAccess(address, this.pageBytes, this.#access)
  }

  #mapZeroPage(): void {
    const driver = this.#driver
    for (let page = 0; page < this.pageCount; page++) {
      const address = this.#addressOf(page)
      this.#place(address, this.#zeroPage)
      this.#undo.push(() => driver.memUnmap(address, this.pageBytes))
    }
    this.#undo.push(() => {
      this.#enter()
      driver.ctxSynchronize()
    })
    this.#driver.memsetD8Async(this.#base, 0, this.pageBytes, this.#stream)
    this.#driver.streamSynchronize(this.#stream)
  }

  #giveBack(): void {
    for (let undo = this.#undo.pop(); undo; undo = this.#undo.pop()) {
      try {
        undo()
      } catch {
        // After a fatal error every call fails, and the driver frees everything when the process ends.
      }
    }
  }

  #checkPage(page: number): void {
    if (this.#isReleased) throw new RangeError('this memory was released')
    if (!(Number.isInteger(page) && page >= 0 && page < this.pageCount)) {
      throw new RangeError(`page ${page} of ${this.pageCount}`)
    }
  }

  /** Before anything is under way: an address without memory behind it would end the context. */
  #checkAll(offsets: ArrayLike<number>, count: number, bytes: number): void {
    for (let index = 0; index < count; index++) {
      const offset = offsets[index]!
      const page = Math.floor(offset / this.pageBytes)
      if (this.#isMapped[page] !== 1 || offset + bytes > (page + 1) * this.pageBytes || bytes < 0) {
        throw new RangeError(`${bytes} bytes at ${offset} are not on one mapped page`)
      }
    }
  }
}

function openDevice(driver: Cuda, device: number): number {
  driver.init()
  const handle = driver.deviceGet(device)
  if (driver.deviceAttribute(handle, CUDA_ATTRIBUTE.hasVirtualMemory) === 1) return handle
  throw new ResourceError('CUDA_UNAVAILABLE', `CUDA device ${device} has no virtual memory management`)
}

function checkPageBytes(pageBytes: number, granularity: number): void {
  if (pageBytes > 0 && pageBytes % granularity === 0) return
  throw new ConfigurationError(
    'PAGE_SIZE_INVALID',
    `pages of ${pageBytes} bytes; this device maps multiples of ${granularity}`,
    {suggestions: ['set KVCACHED_PAGE_SIZE_MB to a multiple of 2']},
  )
}

function explain(error: unknown, device: number, totalBytes: number): unknown {
  if (error instanceof ConfigurationError || error instanceof ResourceError) return error
  if (!(error instanceof Error && 'errno' in error)) return error
  if (error.errno === CUDA.outOfMemory) {
    return new ResourceError(
      'MEMORY_UNAVAILABLE',
      `CUDA device ${device} cannot reserve ${totalBytes} bytes of addresses and a page`,
      {cause: error},
    )
  }
  return new ResourceError('CUDA_UNAVAILABLE', `CUDA device ${device} cannot be used: ${error.message}`, {
    cause: error,
    suggestions: ['see what kvctl gpus shows', 'use --device cpu'],
  })
}
