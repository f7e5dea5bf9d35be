import {execFileSync, spawn} from 'node:child_process'
import {once} from 'node:events'
import {closeSync, constants, fstatSync, mkdtempSync, openSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {expect} from 'chai'
import {FALLOC, libc, LOCK, MAP, MAX_VIEW_BYTES, MFD, PROT} from '../../src/native/libc.js'
import {NativeError} from '../../src/native/native-error.js'
import {describeWith, findProgram} from '../support/requires.js'

const MIB = 2 ** 20
const failureOf = (action: () => unknown): NativeError => {
  try {
    action()
  } catch (error) {
    if (error instanceof NativeError) return error
    throw error
  }
  throw new Error('did not fail')
}

describe('native/libc', () => {
  let folder: string
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'kvctl-libc-'))))
  afterEach(() => rmSync(folder, {recursive: true}))

  it('loads koffi on the first call, not before', () => {
    const script = `
      import {readFileSync} from 'node:fs'
      import {libc} from ${JSON.stringify(new URL('../../src/native/libc.js', import.meta.url).href)}
      const isLoaded = () => readFileSync('/proc/self/maps', 'utf8').includes('koffi.node')
      const before = isLoaded()
      libc.tryFlock(0, 'shared')
      console.log(before, isLoaded())`
    const fd = openSync(folder, 'r')
    const stdout = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      stdio: [fd, 'pipe', 'inherit'],
      encoding: 'utf8',
    })
    closeSync(fd)
    expect(stdout).to.equal('false true\n')
  })

  it('names the call, the number, the symbol and the meaning of a failure', () => {
    const error = failureOf(() => libc.close(987_654))
    expect(error).to.include({syscall: 'close', errno: 9, code: 'EBADF'})
    expect(error.message).to.equal('close: EBADF (9): Bad file descriptor')
  })

  it('reports a failed mmap although it returns an address', () => {
    const error = failureOf(() => libc.mmap(null, 0, PROT.read, MAP.private | MAP.anonymous, -1, 0))
    expect(error).to.include({syscall: 'mmap', code: 'EINVAL'})
  })

  it('passes the mode to open, which takes it as a variable argument', () => {
    const path = join(folder, 'file')
    const fd = libc.open(path, constants.O_CREAT | constants.O_RDWR, 0o600)
    expect(fstatSync(fd).mode & 0o777).to.equal(0o600)
    libc.close(fd)
    expect(failureOf(() => libc.open(join(folder, 'absent'), constants.O_RDONLY)).code).to.equal('ENOENT')
  })

  it('excludes by flock between two descriptions of one file, and lets readers share', () => {
    const path = join(folder, 'file')
    writeFileSync(path, 'x')
    const [one, two] = [openSync(path, 'r+'), openSync(path, 'r+')]
    expect(libc.tryFlock(one, 'shared')).to.equal(true)
    expect(libc.tryFlock(two, 'shared')).to.equal(true)
    expect(libc.tryFlock(two, 'exclusive')).to.equal(false)
    libc.funlock(one)
    expect(libc.tryFlock(two, 'exclusive')).to.equal(true)
    expect(libc.tryFlock(one, 'shared')).to.equal(false)
    closeSync(two)
    expect(libc.tryFlock(one, 'exclusive'), 'closing releases').to.equal(true)
    closeSync(one)
  })

  it('waits for a lock off the event loop', async () => {
    const path = join(folder, 'file')
    writeFileSync(path, 'x')
    const [one, two] = [openSync(path, 'r+'), openSync(path, 'r+')]
    libc.flock(one, 'exclusive')
    let isGranted = false
    const granted = libc.flockAsync(two, 'exclusive').then(() => (isGranted = true))
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(isGranted).to.equal(false)
    libc.funlock(one)
    await granted
    expect(libc.tryFlock(one, 'shared')).to.equal(false)
    closeSync(one)
    closeSync(two)
  })

  it('carries the errno of an awaited call over to its rejection', async () => {
    const failed = libc.flockAsync(987_654, 'shared')
    failureOf(() => libc.open(join(folder, 'absent'), constants.O_RDONLY))
    expect(await failed.catch((error: unknown) => error)).to.include({syscall: 'flock', code: 'EBADF'})
  })

  it('has the device begin with what a file has in the page cache, through a descriptor that only reads', async () => {
    const path = join(folder, 'dirty')
    writeFileSync(path, Buffer.alloc(MIB))
    const fd = openSync(path, 'r')
    await libc.startWriteback(fd)
    closeSync(fd)
    const failed = await libc.startWriteback(987_654).catch((error: unknown) => error)
    expect(failed).to.include({syscall: 'sync_file_range', code: 'EBADF'})
  })

  it('gives a memory file, maps it where it is told, sees it by view and gives its pages back', () => {
    const fd = libc.memfdCreate('kvctl-test', MFD.cloexec)
    libc.ftruncate(fd, 4 * MIB)
    const reserved = libc.mmap(null, 4 * MIB, PROT.none, MAP.private | MAP.anonymous | MAP.noreserve, -1, 0)
    const place = reserved + BigInt(2 * MIB)
    const flags = MAP.shared | MAP.fixed
    expect(libc.mmap(place, MIB, PROT.read | PROT.write, flags, fd, 3 * MIB)).to.equal(place)
    new Uint8Array(libc.view(place, MIB)).fill(7)
    expect(fstatSync(fd).blocks * 512).to.equal(MIB)

    const again = libc.mmap(null, MIB, PROT.read, MAP.shared, fd, 3 * MIB)
    const [view, sameView] = [new Uint8Array(libc.view(again, MIB)), new Uint8Array(libc.view(again, MIB))]
    expect([view[0], view[MIB - 1], sameView[0]]).to.deep.equal([7, 7, 7])

    libc.fallocate(fd, FALLOC.punchHole | FALLOC.keepSize, 3 * MIB, MIB)
    expect(fstatSync(fd).blocks).to.equal(0)
    expect(fstatSync(fd).size).to.equal(4 * MIB)
    expect(view[0], 'a punched page reads as zero').to.equal(0)
    libc.mprotect(place, MIB, PROT.none)
    libc.munmap(again, MIB)
    libc.munmap(reserved, 4 * MIB)
    closeSync(fd)
  })

  it('refuses views that Node 20 does not survive', () => {
    for (const bytes of [0, -1, 1.5, MAX_VIEW_BYTES + 1])
      expect(() => libc.view(1n, bytes)).to.throw(RangeError)
  })

  describeWith(['gcc|cc'], 'beside the C headers of this machine', () => {
    it('has the same constants and the same errno names', () => {
      const ours = {
        PROT_NONE: PROT.none,
        PROT_READ: PROT.read,
        PROT_WRITE: PROT.write,
        MAP_SHARED: MAP.shared,
        MAP_PRIVATE: MAP.private,
        MAP_FIXED: MAP.fixed,
        MAP_ANONYMOUS: MAP.anonymous,
        MAP_NORESERVE: MAP.noreserve,
        LOCK_SH: LOCK.shared,
        LOCK_EX: LOCK.exclusive,
        LOCK_NB: LOCK.nonBlocking,
        LOCK_UN: LOCK.unlock,
        FALLOC_FL_KEEP_SIZE: FALLOC.keepSize,
        FALLOC_FL_PUNCH_HOLE: FALLOC.punchHole,
        MFD_CLOEXEC: MFD.cloexec,
        EWOULDBLOCK: 11,
        'sizeof(off_t)': 8,
        'sizeof(size_t)': 8,
        'sizeof(int)': 4,
      }
      const lines = Object.keys(ours).map(name => `  printf("%s %lld\\n", "${name}", (long long)(${name}));`)
      const source = join(folder, 'facts.c')
      writeFileSync(
        source,
        '#define _GNU_SOURCE\n#include <errno.h>\n#include <fcntl.h>\n#include <linux/falloc.h>\n#include <stdio.h>\n' +
          `#include <sys/file.h>\n#include <sys/mman.h>\nint main(void) {\n${lines.join('\n')}\n  return 0;\n}\n`,
      )
      execFileSync(findProgram('gcc', 'cc')!, [source, '-o', join(folder, 'facts')])
      const theirs = execFileSync(join(folder, 'facts'), {encoding: 'utf8'}).trim().split('\n')
      expect(theirs).to.deep.equal(Object.entries(ours).map(([name, value]) => `${name} ${value}`))
    })
  })

  describeWith(['flock'], 'beside flock(1)', () => {
    it('holds off and is held off by another program', async () => {
      const path = join(folder, 'file')
      writeFileSync(path, 'x')
      const fd = openSync(path, 'r+')
      libc.flock(fd, 'exclusive')
      const refused = spawn('flock', ['-n', path, 'true'])
      expect((await once(refused, 'close'))[0]).to.equal(1)
      libc.funlock(fd)

      const holder = spawn('flock', ['-x', path, 'sh', '-c', 'echo held; read line'])
      await once(holder.stdout, 'data')
      expect(libc.tryFlock(fd, 'shared')).to.equal(false)
      holder.stdin.end('\n')
      await once(holder, 'close')
      expect(libc.tryFlock(fd, 'shared')).to.equal(true)
      closeSync(fd)
    })
  })
})
