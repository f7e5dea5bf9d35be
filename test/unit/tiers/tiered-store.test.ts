import {expect} from 'chai'
import fc from 'fast-check'
import {CpuPool} from '../../../src/lib/tiers/cpu-pool.js'
import {chunkLayout} from '../../../src/lib/tiers/core/memory-format.js'
import type {EmbeddedWorker} from '../../../src/lib/tiers/embedded-worker.js'
import {
  bytesOf,
  CHUNK_BYTES,
  gibibytesFor,
  openSmallWorker,
  POOL_BYTES,
  slotsUpTo,
  SMALL_IDENTITY,
  wipe,
} from '../../support/cache-worker.js'
import {rejection} from '../../support/rejection.js'
import {temporaryFolder} from '../../support/temporary.js'

const range = (start: number, end: number): number[] => slotsUpTo(end - start).map(slot => start + slot)

describe('the pool of the CPU tier', () => {
  const layout = chunkLayout(SMALL_IDENTITY.shape, 8)

  it('never gives out more than it has, and uses memory again', () => {
    const pool = new CpuPool(2 * POOL_BYTES)
    const [first, second] = [pool.allocate(layout)!, pool.allocate(layout)!]
    expect(pool.allocate(layout)).to.equal(null)
    const memory = first.bytes.buffer
    first.release()
    const again = pool.allocate(layout)!
    expect(again.bytes.buffer).to.equal(memory)
    expect(again.bytes).to.have.length(CHUNK_BYTES)
    expect([pool.usedBytes, pool.objects]).to.deep.equal([2 * POOL_BYTES, 2])
    again.release()
    second.release()
    expect(pool.usedBytes).to.equal(0)
  })

  it('gives idle memory of one size up for another', () => {
    const pool = new CpuPool(2 * POOL_BYTES)
    for (const object of [pool.allocate(layout)!, pool.allocate(layout)!]) object.release()
    const large = pool.allocate(chunkLayout(SMALL_IDENTITY.shape, 128))
    expect(large?.physicalBytes).to.equal(2 * POOL_BYTES)
  })

  it('does not take a chunk back twice', () => {
    const object = new CpuPool(POOL_BYTES).allocate(layout)!
    object.retain().release()
    object.release()
    expect(() => object.release()).to.throw('given back')
    expect(() => object.retain()).to.throw('given back')
  })
})

describe('a worker with a CPU tier alone', () => {
  let worker: EmbeddedWorker
  const open = async (options: Parameters<typeof openSmallWorker>[0] = {}): Promise<EmbeddedWorker> =>
    (worker = await openSmallWorker(options))
  afterEach(async () => worker.close())

  it('gives back the bytes that were stored', async () => {
    await open()
    const slots = slotsUpTo(24)
    const before = bytesOf(worker, slots)
    expect(worker.storeTokens(slots, slots, 'r')).to.deep.equal({storedTokens: 24})
    wipe(worker, 24)
    expect(bytesOf(worker, slots)).to.not.equal(before)
    expect(await worker.retrieveTokens(slots, slots, 'r')).to.equal(24)
    expect(bytesOf(worker, slots)).to.equal(before)
  })

  it('into other slots than they came from, and out of order', async () => {
    await open()
    const [from, to] = [range(0, 8), range(40, 48).reverse()]
    const before = bytesOf(worker, from)
    worker.storeTokens(from, from, 'r')
    await worker.retrieveTokens(from, to, 'r')
    expect(bytesOf(worker, to)).to.equal(before)
  })

  it('keeps no memory where pages cannot be written', async () => {
    await open()
    worker.storeTokens(range(0, 24), slotsUpTo(24), 'r')
    await worker.store.settle()
    const chunks = worker.store.cpu.pool.objects
    const scatter = worker.kv.scatter.bind(worker.kv)
    worker.kv.scatter = () => {
      throw new Error('read-only')
    }
    const error = await rejection(worker.retrieveTokens(range(0, 24), slotsUpTo(24), 'r'))
    worker.kv.scatter = scatter
    expect(error).to.have.property('message', 'read-only')
    await worker.clear(null)
    expect([chunks, worker.store.cpu.pool.objects]).to.deep.equal([3, 0])
  })

  it('knows the longest prefix, and nothing behind the first difference', async () => {
    await open()
    worker.storeTokens(range(0, 24), slotsUpTo(24), 'r')
    for (const [tokens, hit] of [
      [range(0, 24), 24],
      [range(0, 40), 24],
      [range(0, 20), 16],
      [[...range(0, 8), 99, ...range(9, 24)], 8],
      [range(1, 25), 0],
    ] as const)
      expect(await worker.lookupTokens(tokens, null)).to.equal(hit)
  })

  it('keeps what is left behind the last whole chunk only when asked to', async () => {
    await open()
    expect(worker.storeTokens(range(0, 12), slotsUpTo(12), 'r').storedTokens).to.equal(8)
    worker.settings.change({save_unfull_chunk: true})
    expect(worker.storeTokens(range(0, 12), slotsUpTo(12), 'r').storedTokens).to.equal(12)
    expect(await worker.retrieveTokens(range(0, 12), slotsUpTo(12), 'r')).to.equal(12)
  })

  it('evicts suffixes before the prefixes that they need', async () => {
    await open({settings: {max_local_cpu_size: gibibytesFor(4)}})
    worker.storeTokens(range(0, 32), slotsUpTo(32), 'r')
    await worker.retrieveTokens(range(0, 32), slotsUpTo(32), 'r')
    worker.storeTokens(range(100, 108), slotsUpTo(8), 'r')
    expect(await worker.lookupTokens(range(0, 32), null)).to.equal(24)
  })

  it('stores the head of a prompt that is larger than its memory', async () => {
    await open({settings: {max_local_cpu_size: gibibytesFor(2)}})
    const pinned = range(0, 16)
    worker.storeTokens(pinned, slotsUpTo(16), 'r')
    await worker.lookupTokens(pinned, 'pin')
    expect(worker.storeTokens(range(50, 66), slotsUpTo(16), 'r').storedTokens).to.equal(0)
    worker.store.unpin('pin')
    expect(worker.storeTokens(range(50, 66), slotsUpTo(16), 'r').storedTokens).to.equal(16)
  })

  it('does not load a prefix that is shorter than min_retrieve_tokens', async () => {
    await open()
    worker.storeTokens(range(0, 16), slotsUpTo(16), 'r')
    worker.settings.change({min_retrieve_tokens: 17})
    expect(await worker.retrieveTokens(range(0, 16), slotsUpTo(16), 'r')).to.equal(0)
    worker.settings.change({min_retrieve_tokens: 16})
    expect(await worker.retrieveTokens(range(0, 16), slotsUpTo(16), 'r')).to.equal(16)
  })

  it('clears in tokens, and keeps what is pinned', async () => {
    await open()
    worker.storeTokens(range(0, 24), slotsUpTo(24), 'r')
    await worker.lookupTokens(range(0, 8), 'pin')
    expect(await worker.clear(['NoSuchBackend'])).to.include({tokens: 0})
    expect(await worker.clear(null)).to.include({tokens: 16, chunks: 2, pinnedChunks: 1})
    worker.store.unpin('pin')
    expect(await worker.clear(['LocalCPUBackend'])).to.include({tokens: 8})
    expect(await worker.retrieveTokens(range(0, 24), slotsUpTo(24), 'r')).to.equal(0)
  })

  it('gives pins up after their time', async () => {
    await open({settings: {pin_timeout_sec: 0, pin_check_interval_sec: 1}})
    worker.storeTokens(range(0, 8), slotsUpTo(8), 'r')
    await worker.lookupTokens(range(0, 8), 'pin')
    await new Promise(resolve => setTimeout(resolve, 1100))
    expect([worker.store.forcedUnpins, worker.store.pinnedLookups]).to.deep.equal([1, 0])
  })

  it('frozen: stores nothing, reads its CPU tier, and clears', async () => {
    await open()
    worker.storeTokens(range(0, 8), slotsUpTo(8), 'r')
    worker.store.isFrozen = true
    expect(worker.storeTokens(range(50, 58), slotsUpTo(8), 'r').storedTokens).to.equal(0)
    expect(await worker.retrieveTokens(range(0, 8), slotsUpTo(8), 'r')).to.equal(8)
    expect(await worker.clear(null)).to.include({tokens: 8})
  })

  it('with the hot cache off: keeps nothing new, and pinned chunks until they are released', async () => {
    await open()
    worker.storeTokens(range(0, 16), slotsUpTo(16), 'r')
    await worker.lookupTokens(range(0, 8), 'pin')
    expect(await worker.store.cpu.disable()).to.equal(1)
    expect(worker.storeTokens(range(50, 58), slotsUpTo(8), 'r').storedTokens).to.equal(0)
    expect(await worker.retrieveTokens(range(0, 16), slotsUpTo(16), 'r')).to.equal(8)
    expect(await worker.clear(null)).to.include({tokens: 0})
    worker.store.cpu.enable()
    expect(worker.storeTokens(range(50, 58), slotsUpTo(8), 'r').storedTokens).to.equal(8)
  })
})

describe('a worker with a disk tier behind the CPU tier', () => {
  const folder = temporaryFolder()
  const settings = (): Record<string, string | number> => ({
    local_disk: folder(),
    max_local_disk_size: gibibytesFor(16),
  })
  let worker: EmbeddedWorker
  beforeEach(async () => (worker = await openSmallWorker({settings: settings()})))
  afterEach(async () => worker.close())

  const storeAll = async (count: number): Promise<string> => {
    const slots = slotsUpTo(count)
    worker.storeTokens(slots, slots, 'r')
    await worker.store.settle()
    return bytesOf(worker, slots)
  }

  it('takes the prefix from the CPU tier, the rest from the disk, and writes it back', async () => {
    const before = await storeAll(24)
    const keys = worker.keysOf(slotsUpTo(24)).map(({key}) => key)
    await worker.store.cpu.remove(keys.slice(1))
    wipe(worker, 24)
    expect(await worker.retrieveTokens(slotsUpTo(24), slotsUpTo(24), 'r')).to.equal(24)
    expect(bytesOf(worker, slotsUpTo(24))).to.equal(before)
    expect(worker.store.cpu.figures.chunks).to.equal(3)
  })

  it('bypassed, neither reads nor writes it, and is as before afterwards', async () => {
    await storeAll(8)
    await worker.clear(['LocalCPUBackend'])
    worker.store.bypass('LocalDiskBackend', true)
    expect(await worker.retrieveTokens(slotsUpTo(8), slotsUpTo(8), 'r')).to.equal(0)
    worker.store.bypass('LocalDiskBackend', false)
    expect(await worker.retrieveTokens(slotsUpTo(8), slotsUpTo(8), 'r')).to.equal(8)
  })

  it('does not write back into a bypassed CPU tier', async () => {
    await storeAll(8)
    await worker.clear(['LocalCPUBackend'])
    worker.store.bypass('LocalCPUBackend', true)
    expect(await worker.retrieveTokens(slotsUpTo(8), slotsUpTo(8), 'r')).to.equal(8)
    expect(worker.store.cpu.figures.chunks).to.equal(0)
  })

  it('frozen, does not read it', async () => {
    await storeAll(8)
    await worker.clear(['LocalCPUBackend'])
    worker.store.isFrozen = true
    expect(await worker.retrieveTokens(slotsUpTo(8), slotsUpTo(8), 'r')).to.equal(0)
  })

  it('takes what was stored into the CPU tier alone to the disk, when it is stored again', async () => {
    worker.store.bypass('LocalDiskBackend', true)
    await storeAll(8)
    worker.store.bypass('LocalDiskBackend', false)
    await storeAll(8)
    await worker.clear(['LocalCPUBackend'])
    expect(await worker.retrieveTokens(slotsUpTo(8), slotsUpTo(8), 'r')).to.equal(8)
  })

  it('never gives wrong bytes, whatever is stored, cleared, switched and evicted', async function () {
    this.timeout(30_000)
    await worker.close()
    const small = {...settings(), max_local_cpu_size: gibibytesFor(3), max_local_disk_size: gibibytesFor(5)}
    worker = await openSmallWorker({settings: small})
    // What a prompt's KV is depends on its tokens alone, as in a model: here on each token and its place.
    const expected = (start: number, count: number): Uint8Array =>
      Uint8Array.from({length: count * 64}, (_, at) => {
        const [plane, slot] = [Math.floor(at / (16 * count)), Math.floor(at / 16) % count]
        return (start + slot) * 7 + plane * 31 + (at % 16)
      })
    const action = fc.tuple(
      fc.constantFrom('store', 'retrieve', 'retrieve', 'clearCpu', 'clear', 'freeze', 'hot', 'bypass'),
      fc.constantFrom(0, 100, 200),
      fc.integer({min: 8, max: 40}),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(action, {maxLength: 30}), async actions => {
        for (const [what, start, count] of actions) {
          const tokens = range(start, start + count)
          const slots = slotsUpTo(count)
          if (what === 'store') {
            worker.kv.scatter(slots, expected(start, count))
            worker.storeTokens(tokens, slots, 'r')
          } else if (what === 'retrieve') {
            wipe(worker, count)
            const hit = await worker.retrieveTokens(tokens, slots, 'r')
            expect(hit).to.be.at.most(count)
            const bytes = new Uint8Array(count * 64)
            worker.kv.gather(slots, bytes)
            for (let plane = 0; plane < 4; plane++) {
              const at = plane * count * 16
              expect(Buffer.from(bytes.subarray(at, at + hit * 16)).toString('hex')).to.equal(
                Buffer.from(expected(start, count).subarray(at, at + hit * 16)).toString('hex'),
              )
            }
          } else if (what === 'clearCpu') await worker.clear(['LocalCPUBackend'])
          else if (what === 'clear') await worker.clear(null)
          else if (what === 'freeze') worker.store.isFrozen = !worker.store.isFrozen
          else if (what === 'hot') {
            if (worker.store.cpu.isHot) await worker.store.cpu.disable()
            else worker.store.cpu.enable()
          } else worker.store.bypass('LocalDiskBackend', !worker.store.bypassed.includes('LocalDiskBackend'))
          expect(worker.store.cpu.pool.usedBytes).to.be.at.most(3 * POOL_BYTES)
        }
      }),
      {numRuns: 40},
    )
    await worker.store.settle()
    expect(worker.store.cpu.pool.objects).to.equal(worker.store.cpu.figures.chunks)
  })
})
