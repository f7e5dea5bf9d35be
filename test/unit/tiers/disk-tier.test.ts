import {execFileSync, spawnSync} from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {expect} from 'chai'
import {chunkFiles, type ChunkFiles} from '../../../src/lib/tiers/chunk-files.js'
import {DiskJournal} from '../../../src/lib/tiers/disk-journal.js'
import {
  bytesOf,
  CHUNK_BYTES,
  eventually,
  gibibytesFor,
  slotsUpTo,
  type SmallWorkerOptions,
} from '../../support/cache-worker.js'
import {tierRig} from '../../support/tier-rig.js'
import {temporaryFolder} from '../../support/temporary.js'

/** Mounting needs rights that not every machine gives. */
const canMount = ((): boolean => {
  const place = mkdtempSync(join(tmpdir(), 'kvctl-mount-'))
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'kvctl-test', place]).status === 0
  if (isMounted) execFileSync('umount', [place])
  rmdirSync(place)
  return isMounted
})()
const describeOnMount = (title: string, suite: () => void): unknown =>
  canMount ? describe(title, suite) : describe.skip(`${title} (skipped: this user may not mount)`, suite)

/** Of tokens 0 to 7 in one chunk of 8, `builtin`. */
const FIRST = 'org-m@1@0@'

describe('the disk tier', () => {
  const folder = temporaryFolder()
  const rig = tierRig()
  const {store, retrieve, bytesAt} = rig
  const open = async (settings: SmallWorkerOptions['settings'] = {}, files?: ChunkFiles): Promise<void> =>
    rig.open({
      settings: {local_disk: folder(), max_local_disk_size: gibibytesFor(16), ...settings},
      ...(files && {files}),
    })
  const chunkNames = (): string[] => readdirSync(folder()).filter(name => name.endsWith('.pt'))
  const reopen = async (settings: SmallWorkerOptions['settings'] = {}): Promise<void> => {
    await rig.worker.close()
    await open(settings)
  }
  const figures = (): Record<string, unknown> => ({...rig.worker.store.tiers[1]!.figures})

  it("holds one file a chunk, under upstream's name and with nothing but its bytes", async () => {
    await open()
    await store(8)
    const [key] = rig.worker.keysOf(slotsUpTo(8))
    const [name] = chunkNames()
    expect(name).to.equal(`${FIRST}${key!.key.hash}@bfloat16.pt`)
    expect(readFileSync(join(folder(), name!)).equals(bytesAt(8))).to.equal(true)
  })

  it('is found again after a restart', async () => {
    await open()
    const before = await store(32)
    await reopen()
    expect(await retrieve(32)).to.equal(32)
    expect(bytesOf(rig.worker, slotsUpTo(32))).to.equal(before)
  })

  it('takes files of upstream that have its own name and length, and leaves others alone', async () => {
    await open()
    await store(16)
    await rig.worker.close()
    for (const name of readdirSync(folder())) if (name.includes('journal')) truncateSync(join(folder(), name))
    writeFileSync(join(folder(), `${FIRST}ab@bfloat16.pt`), 'short')
    writeFileSync(join(folder(), 'other@1@0@ab@bfloat16.pt'), Buffer.alloc(CHUNK_BYTES))
    writeFileSync(join(folder(), 'notes.txt'), 'mine')
    await open()
    expect(figures()['chunks']).to.equal(2)
    expect(rig.warnings.join()).to.contain('@ab@bfloat16.pt has 5 bytes where a chunk has 512')
    expect(await retrieve(16)).to.equal(16)
    await rig.worker.clear(null)
    expect(readdirSync(folder())).to.include.members(['notes.txt', 'other@1@0@ab@bfloat16.pt'])
  })

  for (const [what, damage, reason] of [
    [
      'a byte changed',
      (path: string) => writeFileSync(path, Buffer.alloc(CHUNK_BYTES)),
      'its checksum is another',
    ],
    ['an end cut off', (path: string) => truncateSync(path, 100), 'it has 100 bytes, not 512'],
    ['bytes behind its end', (path: string) => appendFileSync(path, 'x'), 'it has 513 bytes, not 512'],
    ['no file', (path: string) => renameSync(path, `${path}.away`), 'it is gone'],
  ] as const) {
    it(`refuses a chunk with ${what}, forgets it, and takes it again`, async () => {
      await open()
      await store(24)
      const {text} = rig.worker.keysOf(slotsUpTo(24))[1]!.key
      damage(join(folder(), `${text.replaceAll('/', '-')}.pt`))
      expect(await retrieve(24)).to.equal(8)
      expect(rig.warnings.join()).to.contain(reason)
      expect(figures()).to.include({refusedReads: 1, degraded: null})
      await store(24)
      expect(await retrieve(24)).to.equal(24)
    })
  }

  it('never has more bytes than it may, and evicts what was used longest ago', async () => {
    await open({max_local_disk_size: gibibytesFor(3)})
    // One after another: writes of one store may end in any order.
    for (const count of [8, 16, 24]) await store(count)
    await retrieve(8)
    rig.worker.storeTokens([100, 101, 102, 103, 104, 105, 106, 107], slotsUpTo(8), 'r')
    await rig.worker.store.settle()
    expect(chunkNames()).to.have.length(3)
    expect(figures()).to.include({chunks: 3, bytes: 3 * 4096, evictedChunks: 1})
    expect(await retrieve(24)).to.equal(8)
  })

  it('really empties the folder when it is cleared, and stays empty after a restart', async () => {
    await open()
    await store(24)
    expect(await rig.worker.clear(['LocalDiskBackend'])).to.include({tokens: 24})
    expect(chunkNames()).to.deep.equal([])
    await reopen()
    expect(await retrieve(24)).to.equal(0)
  })

  it('reads a journal whose last line is torn, and one that repeats itself', async () => {
    await open()
    await store(16)
    await rig.worker.close()
    const journal = join(folder(), 'kvctl-journal-0.jsonl')
    const text = readFileSync(journal, 'utf8')
    writeFileSync(journal, `${text}${text}nonsense\n{"key":1}\n${text.slice(0, 40)}`)
    await open()
    expect(figures()['chunks']).to.equal(2)
    expect(await retrieve(16)).to.equal(16)
  })

  it('removes what a process left half-written', async () => {
    const left = join(folder(), '.kvctl-0-7.tmp')
    writeFileSync(left, 'half')
    await open()
    expect(existsSync(left)).to.equal(false)
  })

  it('is degraded while the disk is full, answers requests, and recovers by itself', async () => {
    let isFull = false
    const full: ChunkFiles = {
      ...chunkFiles,
      async write(path, parts, passage) {
        if (isFull) throw Object.assign(new Error('ENOSPC: no space left on device'), {code: 'ENOSPC'})
        await chunkFiles.write(path, parts, passage)
      },
    }
    await open({}, full)
    isFull = true
    await store(16)
    expect(figures()['degraded']).to.contain('no space left')
    expect(await rig.worker.retrieveTokens(slotsUpTo(16), slotsUpTo(16), 'r')).to.equal(16)
    expect(chunkNames()).to.deep.equal([])
    isFull = false
    await eventually(() => figures()['degraded'] === null)
    await store(16)
    expect(await retrieve(16)).to.equal(16)
    expect(figures()).to.include({bytes: 2 * 4096})
  })

  describeOnMount('on a file system that is really full', () => {
    const mount = (): string => join(folder(), 'small')
    beforeEach(() => {
      mkdirSync(mount())
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'kvctl-test', mount()])
    })
    afterEach(async () => {
      await rig.worker.close()
      execFileSync('umount', ['-l', mount()])
    })

    for (const [title, useOdirect] of [
      ['goes on, says so, recovers by itself, and finds whole chunks alone after a restart', false],
      ['does so past the page cache', true],
    ] as const) {
      it(title, async () => {
        const reopenThere = async (): Promise<void> =>
          rig.open({
            identity: {shape: {layers: 2, kvSize: 2, heads: 8, headSize: 128, dtype: 'bfloat16'}},
            settings: {
              ...{local_disk: mount(), max_local_disk_size: 1, max_local_cpu_size: 1 / 256},
              extra_config: {use_odirect: useOdirect},
            },
          })
        await reopenThere()
        await store(8)
        const ballast = join(mount(), 'ballast')
        const fill = (): void => {
          const file = openSync(ballast, 'a')
          try {
            for (;;) writeSync(file, Buffer.alloc(4096))
          } catch (error) {
            expect(error).to.have.property('code', 'ENOSPC')
          } finally {
            closeSync(file)
          }
        }
        fill()
        await store(24)
        expect(figures()['degraded']).to.contain('ENOSPC')
        expect(await rig.worker.retrieveTokens(slotsUpTo(24), slotsUpTo(24), 'r')).to.equal(24)
        unlinkSync(ballast)
        await eventually(() => figures()['degraded'] === null)
        await store(24)
        expect(await retrieve(24)).to.equal(24)
        const bytes = bytesOf(rig.worker, slotsUpTo(24))
        await rig.worker.close()
        await reopenThere()
        expect(await retrieve(24)).to.equal(24)
        expect(bytesOf(rig.worker, slotsUpTo(24))).to.equal(bytes)
      })
    }
  })

  it('does not lose the line behind one that was cut off', async () => {
    await open()
    await store(8)
    appendFileSync(join(folder(), 'kvctl-journal-0.jsonl'), '{"key":"torn')
    await reopen()
    await store(16)
    await reopen()
    const lines = readFileSync(join(folder(), 'kvctl-journal-0.jsonl'), 'utf8').trimEnd().split('\n')
    expect(lines.filter(line => line.includes('"checksum":')).length).to.equal(2)
    expect(await retrieve(16)).to.equal(16)
  })

  it('gives no wrong bytes after any moment at which its process could have ended', async () => {
    await open()
    const before = await store(24)
    await rig.worker.close()
    const names = chunkNames()
    const lines = readFileSync(join(folder(), 'kvctl-journal-0.jsonl'), 'utf8').trimEnd().split('\n')
    // The order on disk is file, then line: so every prefix of lines, with the next file there or not, can be left behind.
    for (let written = 0; written <= lines.length; written++) {
      writeFileSync(
        join(folder(), 'kvctl-journal-0.jsonl'),
        lines
          .slice(0, written)
          .map(line => `${line}\n`)
          .join(''),
      )
      await open()
      const hit = await retrieve(24)
      expect(hit).to.be.at.least(8 * written)
      if (hit === 24) expect(bytesOf(rig.worker, slotsUpTo(24))).to.equal(before)
      await rig.worker.close()
      expect(chunkNames()).to.have.members(names)
    }
  })

  it('reads 100,000 lines of its journal in a moment', async function () {
    this.timeout(30_000)
    const journal = new DiskJournal(join(folder(), 'big.jsonl'))
    const layout = {format: 'KV_2LTD', tensors: [{dtype: 'bfloat16', shape: [2, 4, 256, 128]}]} as const
    await journal.rewrite(
      Array.from({length: 100_000}, (_, index) => ({
        key: {text: `m@1@0@${index.toString(16)}@bfloat16`, hash: index.toString(16), tokens: 256},
        ...{layout, checksum: String(index)},
      })),
    )
    const entries = await journal.read()
    expect(entries.size).to.equal(100_000)
    expect(entries.get('m@1@0@ff@bfloat16')?.checksum).to.equal('255')
    await open()
  })
})
