import {mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import fc from 'fast-check'
import {chunkFiles, type ChunkFiles} from '../../../src/lib/tiers/chunk-files.js'
import {chunkLayout} from '../../../src/lib/tiers/core/memory-format.js'
import {writeMetadata} from '../../../src/lib/tiers/core/remote-metadata.js'
import {
  bytesOf,
  CHUNK_BYTES,
  eventually,
  slotsUpTo,
  SMALL_IDENTITY,
  type SmallWorkerOptions,
} from '../../support/cache-worker.js'
import {tierRig} from '../../support/tier-rig.js'
import {temporaryFolder} from '../../support/temporary.js'

describe('the FS connector', () => {
  const folder = temporaryFolder()
  const rig = tierRig()
  const {store, retrieve, bytesAt} = rig
  const open = async (
    extra: Readonly<Record<string, unknown>> = {},
    settings: SmallWorkerOptions['settings'] = {},
  ): Promise<void> =>
    rig.open({settings: {remote_url: `fs://host:1${folder()}`, extra_config: extra, ...settings}})
  const hashOf = (count: number): string => rig.worker.keysOf(slotsUpTo(count)).at(-1)!.key.hash
  const header = writeMetadata(chunkLayout(SMALL_IDENTITY.shape, 8))

  it("writes upstream's files: header, then bytes", async () => {
    await open()
    await store(8)
    const name = `org-SEP-m@1@0@${hashOf(8)}@bfloat16.data`
    expect(readdirSync(folder())).to.deep.equal([name])
    const expected = Buffer.concat([header, bytesAt(8)])
    expect(readFileSync(join(folder(), name)).equals(expected)).to.equal(true)
  })

  it('gives back the bytes that were stored, also to another process', async () => {
    await open()
    const before = await store(24)
    await rig.worker.close()
    await open()
    expect(await retrieve(24)).to.equal(24)
    expect(bytesOf(rig.worker, slotsUpTo(24))).to.equal(before)
  })

  for (const [generation, nameOf] of [
    [1, (hash: string) => `vllm@org-SEP-m@1@0@${hash}.data`],
    [2, (hash: string) => `vllm@org-SEP-m@1@0@${hash}@bfloat16.data`],
    [3, (hash: string) => `org-SEP-m@1@0@${hash}@bfloat16.data`],
  ] as const) {
    it(`reads what stands under a key of generation ${generation}`, async () => {
      await open()
      const before = bytesOf(rig.worker, slotsUpTo(8))
      writeFileSync(join(folder(), nameOf(hashOf(8))), Buffer.concat([header, bytesAt(8)]))
      expect(await retrieve(8)).to.equal(8)
      expect(bytesOf(rig.worker, slotsUpTo(8))).to.equal(before)
    })
  }

  it('writes and reads without headers where save_chunk_meta is false', async () => {
    await open({save_chunk_meta: false})
    const before = await store(16)
    const sizes = readdirSync(folder()).map(name => readFileSync(join(folder(), name)).length)
    expect(sizes).to.deep.equal([CHUNK_BYTES, CHUNK_BYTES])
    expect(await retrieve(16)).to.equal(16)
    expect(bytesOf(rig.worker, slotsUpTo(16))).to.equal(before)
  })

  it('writes by way of a folder of its own where one is named', async () => {
    await open({fs_connector_relative_tmp_dir: 'tmp'})
    await store(8)
    expect(readdirSync(folder()).sort()).to.have.length(2).and.include('tmp')
    expect(readdirSync(join(folder(), 'tmp'))).to.deep.equal([])
  })

  it('spreads chunks over several folders by their hash', async () => {
    const folders = [join(folder(), 'a'), join(folder(), 'b')]
    await open({}, {remote_url: `fs://host:1${folders.join(',')}`})
    await store(64)
    const [a, b] = folders.map(path => readdirSync(path).length)
    expect(a! + b!).to.equal(8)
    expect(Math.min(a!, b!)).to.be.greaterThan(0)
    expect(await retrieve(64)).to.equal(64)
  })

  it('clears the chunks of its own worker alone', async () => {
    await open()
    await store(16)
    writeFileSync(join(folder(), 'org-SEP-m@2@1@ab@bfloat16.data'), 'of another rank')
    writeFileSync(join(folder(), 'README.md'), 'mine')
    expect(await rig.worker.clear(['RemoteBackend'])).to.include({tokens: 16, chunks: 2})
    expect(readdirSync(folder()).sort()).to.deep.equal(['README.md', 'org-SEP-m@2@1@ab@bfloat16.data'])
  })

  for (const [what, content, reason] of [
    ['nothing in it', Buffer.alloc(0), 'has 0 bytes'],
    ['half a header', header.subarray(0, 20), 'has 20 bytes'],
    ['a header alone', header, 'has 28 bytes, not 540'],
    ['a byte too many', Buffer.concat([header, Buffer.alloc(CHUNK_BYTES + 1)]), 'has 541 bytes, not 540'],
    [
      'another dtype',
      Buffer.concat([
        writeMetadata({format: 'KV_2LTD', tensors: [{dtype: 'half', shape: [2, 2, 8, 8]}]}),
        Buffer.alloc(CHUNK_BYTES),
      ]),
      'is KV_2LTD half 2×2×8×8, not KV_2LTD bfloat16 2×2×8×8',
    ],
    [
      'another shape of the same size',
      Buffer.concat([
        writeMetadata({format: 'KV_2LTD', tensors: [{dtype: 'bfloat16', shape: [2, 4, 4, 8]}]}),
        Buffer.alloc(CHUNK_BYTES),
      ]),
      'is KV_2LTD bfloat16 2×4×4×8, not',
    ],
    ['something else in it', Buffer.from('#!/bin/sh\necho this is no chunk at all\n'), 'has memory format'],
  ] as const) {
    it(`refuses a file with ${what}, and says why`, async () => {
      await open()
      writeFileSync(join(folder(), `org-SEP-m@1@0@${hashOf(8)}@bfloat16.data`), content)
      expect(await retrieve(8)).to.equal(0)
      expect(rig.warnings.join()).to.contain(reason)
      expect(rig.worker.store.tiers[1]!.figures).to.include({refusedReads: 1, degraded: null})
      expect(rig.worker.store.cpu.pool.objects).to.equal(0)
    })
  }

  it('returns nothing but what was stored, whatever 10,000 files hold', async function () {
    this.timeout(60_000)
    let content: Uint8Array = new Uint8Array()
    const inMemory: ChunkFiles = {
      ...chunkFiles,
      read: async (_, use) =>
        use(content.length, async (into, at) => into.set(content.subarray(at, at + into.length))),
    }
    await rig.open({settings: {remote_url: `fs://host:1${folder()}`}, files: inMemory})
    const real = Buffer.concat([header, bytesAt(8)])
    const damaged = fc.oneof(
      fc.uint8Array({maxLength: 600}),
      fc.nat(real.length - 1).map(length => real.subarray(0, length)),
      fc.tuple(fc.nat(27), fc.integer({min: 1, max: 255})).map(([at, flip]) => {
        const copy = Buffer.from(real)
        copy[at]! ^= flip
        return copy
      }),
    )
    const layout = JSON.stringify(chunkLayout(SMALL_IDENTITY.shape, 8))
    await fc.assert(
      fc.asyncProperty(damaged, async bytes => {
        content = bytes
        const keys = rig.worker.keysOf(slotsUpTo(8)).map(({key}) => key)
        // The second code of float16 and a header that still says the same are the only ways to be believed.
        for await (const object of rig.worker.store.tiers[1]!.load(keys)) {
          expect(JSON.stringify(object.layout)).to.equal(layout)
          expect(bytes.length).to.equal(real.length)
          object.release()
        }
      }),
      {numRuns: 10_000},
    )
    expect(rig.worker.store.cpu.pool.objects).to.equal(0)
  })

  it('is degraded while its folder is away, and recovers by itself', async () => {
    await open()
    await store(8)
    rmSync(folder(), {recursive: true})
    writeFileSync(folder(), 'in the way')
    expect(await retrieve(8)).to.equal(0)
    const tier = rig.worker.store.tiers[1]!
    expect(tier.figures.degraded).to.contain('ENOTDIR')
    rmSync(folder())
    mkdirSync(folder())
    await eventually(() => tier.figures.degraded === null)
    await store(8)
    expect(await retrieve(8)).to.equal(8)
  })
})
