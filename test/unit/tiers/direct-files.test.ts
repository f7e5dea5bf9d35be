import {
  appendFileSync,
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {expect} from 'chai'
import {chunkFiles, type ChunkFiles, type Passage} from '../../../src/lib/tiers/chunk-files.js'
import {bytesOf, eventually, slotsUpTo, type SmallWorkerOptions} from '../../support/cache-worker.js'
import {tierRig} from '../../support/tier-rig.js'
import {temporaryFolder} from '../../support/temporary.js'

const {O_CREAT, O_DIRECT, O_WRONLY} = constants

/** 2 layers of 1,024 values: 8 KiB a token, 64 KiB a chunk of 8. */
const SHAPE = {layers: 2, kvSize: 2, heads: 8, headSize: 128, dtype: 'bfloat16'} as const
const BIG_CHUNK_BYTES = 64 * 1024
/** Whether the file system of temporary folders takes O_DIRECT. */
const canBeDirect = ((): boolean => {
  const place = mkdtempSync(join(tmpdir(), 'kvctl-direct-'))
  try {
    closeSync(openSync(join(place, 'file'), O_WRONLY | O_CREAT | O_DIRECT))
    return true
  } catch {
    return false
  } finally {
    rmSync(place, {recursive: true})
  }
})()
const describeOnDirect = (title: string, suite: () => void): unknown =>
  canBeDirect
    ? describe(title, suite)
    : describe.skip(`${title} (skipped: no O_DIRECT in ${tmpdir()})`, suite)

/** How a file that this process has open was opened. */
function passageOf(path: string): Passage {
  const fd = readdirSync('/proc/self/fd').find(name => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`) === path
    } catch {
      return false
    }
  })
  const [, flags] = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))!
  return (parseInt(flags!, 8) & O_DIRECT) === 0 ? 'cached' : 'direct'
}

describeOnDirect('the disk tier past the page cache', () => {
  const folder = temporaryFolder()
  const rig = tierRig()
  const {store, retrieve} = rig
  const open = async (
    useOdirect: boolean,
    files: ChunkFiles = chunkFiles,
    settings: SmallWorkerOptions['settings'] = {},
  ): Promise<void> =>
    rig.open({
      identity: {shape: SHAPE},
      settings: {
        ...{local_disk: folder(), max_local_disk_size: 1, max_local_cpu_size: 1 / 256},
        ...{extra_config: {use_odirect: useOdirect}, ...settings},
      },
      files,
    })
  const chunkPaths = (): string[] =>
    readdirSync(folder())
      .filter(name => name.endsWith('.pt'))
      .map(name => join(folder(), name))
  const figures = (): Record<string, unknown> => ({...rig.worker.store.tiers[1]!.figures})

  it('opens chunks with O_DIRECT when it is asked to, and only then', async () => {
    for (const [useOdirect, expected] of [
      [true, 'direct'],
      [false, 'cached'],
    ] as const) {
      const seen: Passage[] = []
      await open(useOdirect, {
        ...chunkFiles,
        async write(path, parts, passage) {
          seen.push(passage!)
          await chunkFiles.write(path, parts, passage)
        },
        read: async (path, use, passage) =>
          chunkFiles.read(
            path,
            async (...file) => {
              seen.push(passageOf(path))
              return use(...file)
            },
            passage,
          ),
      })
      await store(16)
      expect(await retrieve(16)).to.equal(16)
      expect(seen).to.deep.equal([expected, expected, expected, expected])
      await rig.worker.clear(null)
      await rig.worker.close()
    }
  })

  it('opens files of the FSConnector with O_DIRECT when it is asked to and they have no header', async () => {
    for (const [extra, expected] of [
      [{fs_connector_use_odirect: true, save_chunk_meta: false}, 'direct'],
      [{fs_connector_use_odirect: true}, 'cached'],
      [{save_chunk_meta: false}, 'cached'],
    ] as const) {
      const seen: Passage[] = []
      await rig.open({
        identity: {shape: SHAPE},
        settings: {
          ...{remote_url: `fs://host:1${folder()}`, max_local_cpu_size: 1 / 256},
          ...{extra_config: extra},
        },
        files: {
          ...chunkFiles,
          async write(path, parts, passage = 'cached') {
            if (path.endsWith('.tmp')) seen.push(passage)
            await chunkFiles.write(path, parts, passage)
          },
          read: async (path, use, passage) =>
            chunkFiles.read(
              path,
              async (bytes, readInto) =>
                use(bytes, async (into, position) => {
                  if (into.length === BIG_CHUNK_BYTES) seen.push(passageOf(path))
                  await readInto(into, position)
                }),
              passage,
            ),
        },
      })
      const before = await store(16)
      expect(await retrieve(16)).to.equal(16)
      expect(bytesOf(rig.worker, slotsUpTo(16))).to.equal(before)
      expect(seen).to.deep.equal([expected, expected, expected, expected])
      await rig.worker.clear(null)
      await rig.worker.close()
    }
  })

  it('leaves the same files as through it, and either reads those of the other', async () => {
    const before = new Map<string, Buffer>()
    for (const useOdirect of [true, false]) {
      await open(useOdirect)
      const bytes = await store(24)
      for (const path of chunkPaths()) {
        const content = readFileSync(path)
        expect(content).to.have.length(BIG_CHUNK_BYTES)
        expect(content.equals(before.get(path) ?? content)).to.equal(true)
        before.set(path, content)
      }
      await rig.worker.close()
      await open(!useOdirect)
      expect(await retrieve(24)).to.equal(24)
      expect(bytesOf(rig.worker, slotsUpTo(24))).to.equal(bytes)
      await rig.worker.clear(null)
      await rig.worker.close()
    }
    expect(before.size).to.equal(3)
  })

  it('writes a chunk that is no whole pages through it', async () => {
    const seen: (Passage | undefined)[] = []
    const files: ChunkFiles = {
      ...chunkFiles,
      async write(path, parts, passage) {
        seen.push(passage)
        await chunkFiles.write(path, parts, passage)
      },
    }
    // 66,048 bytes a chunk: 16 pages and an eighth.
    await rig.open({
      identity: {shape: {...SHAPE, headSize: 129}},
      settings: {
        ...{local_disk: folder(), max_local_disk_size: 1, max_local_cpu_size: 1 / 256},
        ...{extra_config: {use_odirect: true}},
      },
      files,
    })
    await store(8)
    expect(await retrieve(8)).to.equal(8)
    expect(seen).to.deep.equal(['cached'])
  })

  it('goes through it from then on where the file system refuses O_DIRECT, and says so once', async () => {
    const refusing: ChunkFiles = {
      ...chunkFiles,
      async write(path, parts, passage) {
        if (passage === 'direct') throw Object.assign(new Error('EINVAL: invalid argument'), {code: 'EINVAL'})
        await chunkFiles.write(path, parts, passage)
      },
    }
    await open(true, refusing)
    const before = await store(24)
    expect(await retrieve(24)).to.equal(24)
    expect(bytesOf(rig.worker, slotsUpTo(24))).to.equal(before)
    expect(rig.warnings).to.deep.equal([
      `the file system of ${folder()} refuses O_DIRECT; its chunks go through the page cache`,
    ])
    expect(figures()).to.include({failedWrites: 0, degraded: null})
  })

  for (const [what, damage, reason] of [
    [
      'a byte changed',
      (path: string) => writeFileSync(path, Buffer.alloc(BIG_CHUNK_BYTES)),
      'its checksum is another',
    ],
    ['an end cut off', (path: string) => truncateSync(path, 100), `it has 100 bytes, not ${BIG_CHUNK_BYTES}`],
    [
      'whole pages cut off',
      (path: string) => truncateSync(path, 8192),
      `it has 8192 bytes, not ${BIG_CHUNK_BYTES}`,
    ],
    [
      'bytes behind its end',
      (path: string) => appendFileSync(path, 'x'),
      `it has ${BIG_CHUNK_BYTES + 1} bytes, not ${BIG_CHUNK_BYTES}`,
    ],
    ['no file', (path: string) => rmSync(path), 'it is gone'],
  ] as const) {
    it(`refuses a chunk with ${what}, forgets it, and takes it again`, async () => {
      await open(true)
      await store(24)
      const {hash} = rig.worker.keysOf(slotsUpTo(24))[1]!.key
      damage(chunkPaths().find(path => path.includes(hash))!)
      expect(await retrieve(24)).to.equal(8)
      expect(rig.warnings.join()).to.contain(reason)
      expect(figures()).to.include({refusedReads: 1, degraded: null})
      await store(24)
      expect(await retrieve(24)).to.equal(24)
    })
  }

  for (const left of [0, 100, 4096, 5000]) {
    it(`returns nothing of a file that has ${left} bytes when it is read, and more when it is opened`, async () => {
      const shrinking: ChunkFiles = {
        ...chunkFiles,
        read: async (path, use, passage) =>
          chunkFiles.read(
            path,
            async (...file) => {
              truncateSync(path, left)
              return use(...file)
            },
            passage,
          ),
      }
      await open(true, shrinking)
      await store(8)
      expect(await retrieve(8)).to.equal(0)
      expect(figures()).to.include({failedReads: 1})
      expect(rig.warnings.join()).to.contain('bytes early').and.not.contain('O_DIRECT')
      await eventually(() => figures()['degraded'] === null)
      expect(rig.worker.store.cpu.pool.objects).to.equal(0)
    })
  }
})
