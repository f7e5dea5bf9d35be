import {execFileSync, spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {silentLogger, systemClock} from '../../src/lib/foundation/index.js'
import {createSegmentStore, SEGMENT_DIRECTORY, type SegmentStore} from '../../src/lib/segments/index.js'
import {libc} from '../../src/native/libc.js'
import {repositoryRoot} from '../support/cli.js'
import {describeWith} from '../support/requires.js'
import {GIB, recordBytes} from '../support/segments.js'

const PEER = join(repositoryRoot, 'test/support/segment.py')

describeWith(['python3', 'flock'], 'segments shared with an independent program on /dev/shm', () => {
  let directory: string
  let store: SegmentStore
  let path: string
  const started: ChildProcess[] = []

  beforeEach(() => {
    directory = mkdtempSync(join(SEGMENT_DIRECTORY, 'kvctl-test-'))
    path = join(directory, 'vllm')
    const memories = {load: () => null, loader: () => () => null, save() {}, forget() {}}
    const parts = {directory, libc, clock: systemClock, logger: silentLogger, memories}
    store = createSegmentStore({...parts, readPatienceMs: 5000, lockTimeoutMs: 20_000})
  })
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL')
    rmSync(directory, {recursive: true})
  })

  const peer = (...args: (string | bigint)[]): string =>
    execFileSync('python3', [PEER, args[0] as string, path, ...args.slice(1).map(String)], {
      encoding: 'utf8',
    }).trim()
  const startPeer = async (command: string): Promise<ChildProcess> => {
    const child = spawn('python3', [PEER, command, path], {stdio: ['pipe', 'pipe', 'inherit']})
    started.push(child)
    await once(child.stdout, 'data')
    return child
  }
  const readUnlocked = (): Buffer => {
    const bytes = Buffer.alloc(24)
    const fd = openSync(path, 'r')
    readSync(fd, bytes, 0, 24, 0)
    closeSync(fd)
    return bytes
  }
  const isTorn = (bytes: Buffer): boolean => bytes.readBigInt64LE(8) !== -bytes.readBigInt64LE(16)

  it('have the bytes of the published layout', async () => {
    peer('write', 8n * GIB, 0x0102030405060708n, -1n)
    expect(readFileSync(path).toString('hex')).to.equal(
      ['0000000002000000', '0807060504030201', 'ffffffffffffffff'].join(''),
    )
    expect((await store.read('vllm')).record).to.deep.equal({
      limitBytes: 8n * GIB,
      usedBytes: 0x0102030405060708n,
      preallocBytes: -1n,
    })
  })

  it('are read by the other program as we make, limit and publish them', async () => {
    await store.create('vllm', 8n * GIB)
    expect(peer('read')).to.equal(`${8n * GIB} 0 0`)
    store.publish('vllm', 2n ** 62n + 1n, 7)
    await store.writeLimit('vllm', 3n * GIB)
    expect(peer('read')).to.equal(`${3n * GIB} ${2n ** 62n + 1n} 7`)
  })

  it('are never read torn while the other program writes them field by field', async () => {
    peer('write', GIB, 0n, 0n)
    const hammer = await startPeer('hammer')
    let unlockedTears = 0
    for (let tries = 0; unlockedTears === 0 && tries < 2_000_000; tries++)
      unlockedTears += isTorn(readUnlocked()) ? 1 : 0
    expect(unlockedTears, 'without the lock there is something to tear').to.be.greaterThan(0)

    // Until 500 different records were seen: on a busy machine the writer may rest for thousands of our reads.
    const seen = new Set<bigint>()
    for (let round = 0; seen.size < 500 || round < 3000; round++) {
      const {record, isSettled} = await store.read('vllm')
      expect(isSettled).to.equal(true)
      expect(record.preallocBytes).to.equal(-record.usedBytes)
      seen.add(record.usedBytes)
    }
    hammer.stdin!.end()
    await once(hammer, 'close')
  }).timeout(60_000)

  it('keep every update of two hundred concurrent writers of two programs', async () => {
    peer('write', 1n, 0n, 0n)
    // Ours change the limit; flock(1) guards a program that reads all three, adds 1 to used and writes all three back.
    const addOne =
      'import struct,sys\nf=open(sys.argv[1],"r+b",buffering=0)\nt,u,p=struct.unpack("<qqq",f.read(24))\nf.seek(0)\nf.write(struct.pack("<qqq",t,u+1,p))'
    const theirs = Array.from({length: 100}, async () => {
      const child = spawn('flock', ['-x', path, 'python3', '-S', '-E', '-c', addOne, path], {
        stdio: 'inherit',
      })
      expect((await once(child, 'close'))[0]).to.equal(0)
    })
    const ours = Array.from({length: 100}, async (_, index) => store.writeLimit('vllm', BigInt(index + 2)))
    const writes = await Promise.all(ours)
    await Promise.all(theirs)

    const {record} = await store.read('vllm')
    expect(record.usedBytes, 'one for each of theirs').to.equal(100n)
    // Each of ours saw the one before: from 1, one unbroken chain through all hundred to the last.
    const next = new Map(writes.map(({before, after}) => [before.limitBytes, after.limitBytes]))
    let [limit, links] = [1n, 0]
    for (; next.has(limit); links++) limit = next.get(limit)!
    expect([limit, links]).to.deep.equal([record.limitBytes, 100])
  }).timeout(120_000)

  it('name the process that keeps the lock', async () => {
    peer('write', GIB, 0n, 0n)
    const holder = await startPeer('hold')
    const error = await store
      .writeLimit('vllm', 5n, undefined, 50)
      .catch((reason: unknown) => reason as Error)
    expect((error as Error).message).to.equal(`segment 'vllm' is locked by pid ${holder.pid} (python3)`)
    expect(readFileSync(path)).to.deep.equal(recordBytes(GIB))
  })

  it('are live while something reads them as an engine does, and stale once it was killed', async () => {
    peer('write', GIB, 5n, 0n)
    const watcher = await startPeer('watch')
    expect(await store.probe('vllm')).to.include({verdict: 'live', pid: watcher.pid})
    watcher.kill('SIGKILL')
    await once(watcher, 'close')
    expect(await store.probe('vllm')).to.include({verdict: 'stale', pid: null})
    expect(readFileSync(path), 'probing changes nothing').to.deep.equal(recordBytes(GIB, 5n))
  })

  it('are live through our own queued reads, and not through flock(1) or our quiet ones', async () => {
    peer('write', GIB, 0n, 0n)
    const script = `
      import {createSegmentStore} from ${JSON.stringify(new URL('../../src/lib/segments/index.js', import.meta.url).href)}
      import {silentLogger as logger, systemClock as clock} from ${JSON.stringify(new URL('../../src/lib/foundation/index.js', import.meta.url).href)}
      import {libc} from ${JSON.stringify(new URL('../../src/native/libc.js', import.meta.url).href)}
      const memories = {load: () => null, loader: () => () => null, save() {}, forget() {}}
      const store = createSegmentStore({directory: ${JSON.stringify(directory)}, libc, clock, logger, memories, readPatienceMs: 50, lockTimeoutMs: 50})
      for (let round = 0; ; round++) {
        await store[process.argv[1]]('vllm')
        if (round === 0) console.log('ready')
        await clock.sleep(20)
      }`
    const loop = async (method: string): Promise<ChildProcess> => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, method], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      started.push(child)
      await once(child.stdout, 'data')
      return child
    }
    const reader = await loop('read')
    expect(await store.probe('vllm')).to.include({verdict: 'stale'})
    reader.kill('SIGKILL')
    const engine = await loop('readQueued')
    expect(await store.probe('vllm')).to.include({verdict: 'live', pid: engine.pid})
  })

  it('refuse a second engine of the same name while the first one lives', async () => {
    await store.create('vllm', GIB)
    await startPeer('watch')
    const error = await store.create('vllm', 2n * GIB).catch((reason: unknown) => reason as Error)
    expect(error).to.include({code: 'SEGMENT_LIVE', exitCode: 4})
    expect(readFileSync(path)).to.deep.equal(recordBytes(GIB))
  })
})
