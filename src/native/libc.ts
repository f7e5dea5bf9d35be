import {createRequire} from 'node:module'
import type koffiModule from 'koffi'
import type {KoffiFunc} from 'koffi'
import {NativeError} from './native-error.js'

/** A virtual address of this process; 64 bits, so never a Number. */
export type Address = bigint

/** How a whole file is locked: many shared holders or one exclusive holder. */
export type LockKind = 'shared' | 'exclusive'

/** `sys/mman.h` protection bits. */
export const PROT = {none: 0, read: 1, write: 2} as const

/** `sys/mman.h` mapping flags; the same numbers on x86-64 and arm64. */
export const MAP = {
  shared: 0x01,
  private: 0x02,
  fixed: 0x10,
  anonymous: 0x20,
  noreserve: 0x4000,
  populate: 0x8000,
} as const

/** `sys/file.h` */
export const LOCK = {shared: 1, exclusive: 2, nonBlocking: 4, unlock: 8} as const

/** `linux/falloc.h` */
export const FALLOC = {keepSize: 1, punchHole: 2} as const

/** `linux/memfd.h` */
export const MFD = {cloexec: 1} as const

/** Longest view that {@link Libc.view} gives: Node 20 aborts the process on views of 4 GiB. */
export const MAX_VIEW_BYTES = 2 ** 30

/**
 * The C library's file locks, mappings and memory files. File descriptors are plain numbers: those of `node:fs` work here
 * and the other way round. Every method throws {@link NativeError} on failure and loads koffi on its first call.
 */
export interface Libc {
  /** `fcntl.h` open(2). @param flags O_… of `node:fs` constants @returns a descriptor, to be closed by the caller */
  open(path: string, flags: number, mode?: number): number
  /** `unistd.h` close(2) */
  close(fd: number): void
  /**
   * `sys/file.h` flock(2), waiting in the kernel. Blocks the whole program: only for locks known to be short.
   * The lock belongs to the open file description and ends when its last descriptor is closed.
   */
  flock(fd: number, kind: LockKind): void
  /** flock(2) with LOCK_NB. @returns false when another description holds a lock that excludes this one */
  tryFlock(fd: number, kind: LockKind): boolean
  /**
   * flock(2) awaited off the event loop. The call occupies one of libuv's four threads until the lock is granted and
   * cannot be cancelled; the process cannot exit meanwhile, so keep one in flight and only behind short locks.
   */
  flockAsync(fd: number, kind: LockKind): Promise<void>
  /** flock(2) with LOCK_UN */
  funlock(fd: number): void
  /** `unistd.h` ftruncate(2). @param bytes the file's new length */
  ftruncate(fd: number, bytes: number): void
  /**
   * `sys/mman.h` mmap(2).
   *
   * @param address a hint, or the exact place with MAP.fixed; null lets the kernel choose
   * @param protection PROT bits @param flags MAP bits @param fd −1 with MAP.anonymous
   * @returns where it lies; the caller unmaps it
   */
  mmap(
    address: Address | null,
    bytes: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): Address
  /** `sys/mman.h` munmap(2). Views of the range must not be touched afterwards: nothing ties them to the mapping. */
  munmap(address: Address, bytes: number): void
  /** `sys/mman.h` mprotect(2) */
  mprotect(address: Address, bytes: number, protection: number): void
  /** `sys/mman.h` memfd_create(2), Linux 3.17. @returns a descriptor of an empty file that lives in memory only */
  memfdCreate(name: string, flags: number): number
  /** `sys/prctl.h` prctl(2) with PR_SET_PDEATHSIG: the kernel kills this process when the thread that started it ends. */
  dieWithParent(): void
  /**
   * `fcntl.h` sync_file_range(2) with SYNC_FILE_RANGE_WRITE for all of a file, off the event loop: begins to write its dirty pages
   * to the device. It waits for room in the device's queue only, on one of libuv's four threads.
   */
  startWriteback(fd: number): Promise<void>
  /** `fcntl.h` fallocate(2). @param mode FALLOC bits; both together give the pages of the range back */
  fallocate(fd: number, mode: number, offset: number, bytes: number): void
  /**
   * Mapped memory as an ArrayBuffer, without a copy. Its lifetime is the mapping's, and V8 does not know that: touching it
   * after munmap ends the process.
   *
   * @param bytes 1 … {@link MAX_VIEW_BYTES}
   * @throws RangeError on other lengths
   */
  view(address: Address, bytes: number): ArrayBuffer
  /** Where these bytes of V8's lie. They stay there as long as somebody holds them. */
  addressOf(bytes: Uint8Array): Address
}

type Koffi = typeof koffiModule

interface Bindings {
  readonly koffi: Koffi
  readonly open: (path: string, flags: number, modeType: string, mode: number) => number
  readonly close: (fd: number) => number
  readonly flock: KoffiFunc<(fd: number, operation: number) => number>
  readonly ftruncate: (fd: number, length: number) => number
  readonly mmap: (
    address: Address | null,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ) => Address
  readonly munmap: (address: Address, length: number) => number
  readonly mprotect: (address: Address, length: number, protection: number) => number
  readonly memfdCreate: (name: string, flags: number) => number
  readonly fallocate: (fd: number, mode: number, offset: number, length: number) => number
  readonly syncFileRange: KoffiFunc<(fd: number, offset: number, bytes: number, flags: number) => number>
  readonly prctl: (option: number, argument: number, ...rest: number[]) => number
  readonly strerror: (errno: number) => string
}

let bindings: Bindings | null = null

function bind(): Bindings {
  if (bindings) return bindings
  const koffi = createRequire(import.meta.url)('koffi') as Koffi
  // The program itself, which has glibc or musl in it whatever that library's file is called.
  const clib = koffi.load(null)
  return (bindings = {
    koffi,
    open: clib.func('int open(const char *path, int flags, ...)'),
    close: clib.func('int close(int fd)'),
    flock: clib.func('int flock(int fd, int operation)'),
    ftruncate: clib.func('int ftruncate(int fd, int64_t length)'),
    mmap: clib.func(
      'void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)',
    ),
    munmap: clib.func('int munmap(void *address, size_t length)'),
    mprotect: clib.func('int mprotect(void *address, size_t length, int protection)'),
    memfdCreate: clib.func('int memfd_create(const char *name, unsigned int flags)'),
    fallocate: clib.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)'),
    syncFileRange: clib.func(
      'int sync_file_range(int fd, int64_t offset, int64_t nbytes, unsigned int flags)',
    ),
    prctl: clib.func(
      'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
    ),
    strerror: clib.func('const char *strerror(int number)'),
  })
}

/** Must be the first thing after the failed call: any other call may change errno. */
function failure(call: string): NativeError {
  const {koffi, strerror} = bind()
  const errno = koffi.errno()
  const code = Object.entries(koffi.os.errno).find(([, number]) => number === errno)?.[0] ?? `E${errno}`
  return new NativeError(call, errno, code, strerror(errno))
}

function check(call: string, status: number): void {
  if (status === -1) throw failure(call)
}

/** How a call off the event loop ends. koffi carries the worker thread's errno over to this callback. */
function settle(
  call: string,
  resolve: () => void,
  reject: (error: Error) => void,
): (error: Error | null, status: number) => void {
  return (error, status) => {
    if (error) reject(error)
    else if (status === -1) reject(failure(call))
    else resolve()
  }
}

/** `fcntl.h` */
const SYNC_FILE_RANGE_WRITE = 2
/** `linux/prctl.h` and `signal.h` */
const PR_SET_PDEATHSIG = 1
const SIGKILL = 9
const MAP_FAILED = 2n ** 64n - 1n
const operation = (kind: LockKind): number => LOCK[kind]

/** The real C library of this process. */
export const libc: Libc = {
  open(path, flags, mode = 0o666) {
    const fd = bind().open(path, flags, 'int', mode)
    check('open', fd)
    return fd
  },
  close: fd => check('close', bind().close(fd)),
  flock: (fd, kind) => check('flock', bind().flock(fd, operation(kind))),
  tryFlock(fd, kind) {
    const {koffi, flock} = bind()
    if (flock(fd, operation(kind) | LOCK.nonBlocking) === 0) return true
    if (koffi.errno() === koffi.os.errno['EWOULDBLOCK']) return false
    throw failure('flock')
  },
  async flockAsync(fd, kind) {
    const {flock} = bind()
    await new Promise<void>((resolve, reject) => {
      flock.async(fd, operation(kind), settle('flock', resolve, reject))
    })
  },
  funlock: fd => check('flock', bind().flock(fd, LOCK.unlock)),
  ftruncate: (fd, bytes) => check('ftruncate', bind().ftruncate(fd, bytes)),
  mmap(address, bytes, protection, flags, fd, offset) {
    const place = bind().mmap(address, bytes, protection, flags, fd, offset)
    if (place === MAP_FAILED) throw failure('mmap')
    return place
  },
  munmap: (address, bytes) => check('munmap', bind().munmap(address, bytes)),
  mprotect: (address, bytes, protection) => check('mprotect', bind().mprotect(address, bytes, protection)),
  memfdCreate(name, flags) {
    const fd = bind().memfdCreate(name, flags)
    check('memfd_create', fd)
    return fd
  },
  dieWithParent: () => check('prctl', bind().prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)),
  async startWriteback(fd) {
    const {syncFileRange} = bind()
    await new Promise<void>((resolve, reject) => {
      // No length reaches to the end of the file.
      syncFileRange.async(fd, 0, 0, SYNC_FILE_RANGE_WRITE, settle('sync_file_range', resolve, reject))
    })
  },
  fallocate: (fd, mode, offset, bytes) => check('fallocate', bind().fallocate(fd, mode, offset, bytes)),
  view(address, bytes) {
    if (!Number.isInteger(bytes) || bytes < 1 || bytes > MAX_VIEW_BYTES) {
      throw new RangeError(`a view of ${bytes} bytes; possible are 1 to ${MAX_VIEW_BYTES}`)
    }
    return bind().koffi.view(address, bytes)
  },
  addressOf: bytes => bind().koffi.address(bytes),
}
