import {existsSync, mkdtempSync, readFileSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as delay} from 'node:timers/promises'
import {expect} from 'chai'
import {ConfigurationError, ResourceError, silentLogger} from '../../../src/lib/foundation/index.js'
import {createKvcached, ElasticMHATokenToKVPool, type KvTensor} from '../../../src/lib/elastic/index.js'
import {ElasticBlockPool} from '../../../src/lib/engine/index.js'
import {reserveHostMemory, type PageReserve, type Reservation} from '../../../src/lib/memory/index.js'
import type {SegmentStore} from '../../../src/lib/segments/index.js'
import {segmentStoreIn} from '../../support/segments.js'

const MIB = 2 ** 20
const PAGE = 2 * MIB
const [LAYERS, TOKENS, HEADS, SIZE] = [2, 16, 8, 64]
/** Of a token, and of a block, in one buffer of one layer. */
const [CELL, BLOCK] = [HEADS * SIZE * 2, TOKENS * HEADS * SIZE * 2]
const BLOCKS_PER_PAGE = PAGE / BLOCK

describe("kvcached's library", () => {
  let folder: string
  let store: SegmentStore
  let ranges: Reservation[]
  let kvcached: ReturnType<typeof createKvcached>

  const start = (environment: NodeJS.ProcessEnv = {}): ReturnType<typeof createKvcached> => {
    const reserve: PageReserve = pages => {
      const range = reserveHostMemory({...pages, name: 'kvctl-test'})
      ranges.push(range)
      return range
    }
    return (kvcached = createKvcached({
      environment: {
        KVCACHED_IPC_NAME: 'pool',
        KVCACHED_MIN_RESERVED_PAGES: '0',
        KVCACHED_MAX_RESERVED_PAGES: '0',
        ...environment,
      },
      logger: silentLogger,
      temporaryFolder: folder,
      segmentStore: () => Promise.resolve(store),
      openDevice: () => Promise.resolve({name: 'cpu', memoryBytes: 64 * MIB, reserve}),
    }))
  }
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kvctl-elastic-'))
    ranges = []
    store = segmentStoreIn(folder)
    start()
  })
  afterEach(async () => {
    await kvcached.vllm.shutdownKvcached()
    expect(existsSync(join(folder, 'pool'))).to.equal(false)
    rmSync(folder, {recursive: true})
  })

  const resident = (): number => ranges.reduce((sum, range) => sum + range.residentBytes(), 0)
  /** The float16 that lies at a place of a range, read past the tensor. */
  const wordAt = (range: number, offset: number): number => {
    const bytes = new Uint8Array(2)
    ranges[range]!.gather([offset], 1, 2, bytes)
    return bytes[0]! + 256 * bytes[1]!
  }
  const until = async (isTrue: () => boolean): Promise<void> => {
    while (!isTrue()) await delay(2)
  }

  it('says that it is not initialised, whatever is called first', async () => {
    const {vllm, sglang, vmmOps} = kvcached
    const words = 'kvcached is not initialized. Please call initKvcached() first.'
    expect(() => vllm.allocKvCache([2, 9, 16, 8, 64], 16, 'float16', 'cpu', 2)).to.throw(ResourceError, words)
    expect(() => sglang.allocKvCache([9, 8, 64], 'float16', 'cpu', 2)).to.throw(ResourceError, words)
    expect(() => vmmOps.createKvTensors(MIB, 2, 'cpu', 2)).to.throw(ResourceError, words)
    expect(() => vmmOps.mapToKvTensors([0])).to.throw(ResourceError, words)
    expect(await vllm.getKvCacheManager(9, 16, 64, 2).catch((error: unknown) => String(error))).to.include(
      words,
    )
    await vllm.shutdownKvcached()
  })

  // Every row: shape and how to reach one element; where kvcached's layouts say that it lies.
  for (const isContiguous of [true, false]) {
    describe(`in the ${isContiguous ? 'contiguous layout' : 'layout of a range for each layer'}`, () => {
      /** floor(64 MiB / 2 layers / 2 buffers), a multiple of a page. */
      const buffer = 16 * MIB
      const block = BLOCKS_PER_PAGE + 3
      const slot = 5
      const [head, at] = [3, 17]
      const within = slot * CELL + head * SIZE * 2 + at * 2
      const [layer, word] = [1, 0x1234]

      const kvOffset = (isValue: boolean): number =>
        isContiguous
          ? (block * LAYERS + layer) * 2 * BLOCK + (isValue ? BLOCK : 0) + within
          : (isValue ? buffer : 0) + block * BLOCK + within
      const range = isContiguous ? 0 : layer

      beforeEach(() => void start({KVCACHED_CONTIGUOUS_LAYOUT: String(isContiguous)}))
      const poke = async (
        numKvBuffers: number,
        cellSize: number,
        integration: 'vllm' | 'sglang',
        tensor: KvTensor,
      ): Promise<void> => {
        const manager = await kvcached[integration].getKvCacheManager(
          4 * BLOCKS_PER_PAGE,
          TOKENS,
          cellSize,
          LAYERS,
          {
            numKvBuffers,
          },
        )
        while (manager.getPageOccupancy([1]).get(1) === 0) manager.alloc(1)
        tensor.write(Uint16Array.of(word))
        expect(tensor.read()).to.deep.equal(Uint16Array.of(word))
      }

      it('vLLM with FlashAttention: what a view writes lies where it should', async () => {
        await kvcached.vllm.initKvcached({device: 'cpu'})
        const tensors = kvcached.vllm.allocKvCache(
          [2, 9, TOKENS, HEADS, SIZE],
          TOKENS,
          'torch.float16',
          'cpu',
          LAYERS,
        )
        expect(tensors.map(({shape, dtype, device}) => [...shape, dtype, device])).to.deep.equal(
          Array(2).fill([2, buffer / BLOCK, TOKENS, HEADS, SIZE, 'float16', 'cpu']),
        )
        for (const half of [0, 1]) {
          const tensor = tensors[layer]!.at(half, block, slot, head, at)
          if (half === 0) await poke(2, CELL, 'vllm', tensor)
          else tensor.write(Uint16Array.of(word))
          expect(wordAt(range, kvOffset(half === 1))).to.equal(word)
          expect(tensor.dataPointer).to.equal(ranges[range]!.address + BigInt(kvOffset(half === 1)))
        }
      })

      it('vLLM with FlashInfer: what a view writes lies where it should', async () => {
        await kvcached.vllm.initKvcached({device: 'cpu'})
        const tensors = kvcached.vllm.allocKvCache(
          [9, 2, TOKENS, HEADS, SIZE],
          TOKENS,
          'bfloat16',
          'cpu',
          LAYERS,
          'GQA',
        )
        await poke(2, CELL, 'vllm', tensors[layer]!.at(block, 1, slot, head, at))
        expect(wordAt(range, kvOffset(true))).to.equal(word)
      })

      it('vLLM with MLA: what a view writes lies where it should', async () => {
        await kvcached.vllm.initKvcached({device: 'cpu'})
        const [latent, mlaBlock] = [512, TOKENS * 512 * 2]
        const tensors = kvcached.vllm.allocKvCache(
          [9, TOKENS, latent],
          TOKENS,
          'float16',
          'cpu',
          LAYERS,
          'MLA',
        )
        const inPage = PAGE / mlaBlock + 3
        await poke(1, latent * 2, 'vllm', tensors[layer]!.at(inPage, slot, 100))
        const row = slot * latent * 2 + 200
        expect(
          wordAt(range, (isContiguous ? (inPage * LAYERS + layer) * mlaBlock : inPage * mlaBlock) + row),
        ).to.equal(word)
      })

      it('vLLM with hybrid models: what a view writes lies where it should', async () => {
        await kvcached.vllm.initKvcached({device: 'cpu'})
        const shape = [2, 9, TOKENS, HEADS, SIZE]
        const tensors = kvcached.vllm.allocKvCache(shape, TOKENS, 'float16', 'cpu', LAYERS, 'HYBRID_LINEAR')
        const inPage = PAGE / (2 * BLOCK) + 3
        await poke(1, 2 * CELL, 'vllm', tensors[layer]!.at(1, inPage, slot, head, at))
        const before = isContiguous ? inPage * LAYERS + layer : inPage
        expect(wordAt(range, before * 2 * BLOCK + BLOCK + within)).to.equal(word)
      })

      it('SGLang with MHA: what a view writes lies where it should', async () => {
        await kvcached.sglang.initKvcached({device: 'cpu', isWorker: false})
        const {kTensors, vTensors} = kvcached.sglang.allocKvCache(
          [99, HEADS, SIZE],
          'float16',
          'cpu',
          LAYERS,
          TOKENS,
        )
        const token = block * TOKENS + slot
        await poke(2, CELL, 'sglang', kTensors[layer]!.at(token, head, at))
        vTensors[layer]!.at(token, head, at).write(Uint16Array.of(word + 1))
        const rest = head * SIZE * 2 + at * 2
        const place = (half: number): number =>
          isContiguous
            ? (token * LAYERS + layer) * 2 * CELL + half * CELL + rest
            : half * buffer + token * CELL + rest
        expect([wordAt(range, place(0)), wordAt(range, place(1))]).to.deep.equal([word, word + 1])
      })

      it('SGLang with MLA: what a view writes lies where it should', async () => {
        await kvcached.sglang.initKvcached({device: 'cpu'})
        const {kTensors, vTensors} = kvcached.sglang.allocKvCache(
          [99, 1, 512],
          'float16',
          'cpu',
          LAYERS,
          TOKENS,
          'MLA',
        )
        expect(vTensors).to.deep.equal([])
        const token = (PAGE / (TOKENS * 1024) + 3) * TOKENS + slot
        await poke(1, 1024, 'sglang', kTensors[layer]!.at(token, 0, 100))
        expect(wordAt(range, (isContiguous ? token * LAYERS + layer : token) * 1024 + 200)).to.equal(word)
      })

      it('maps and unmaps by byte offset, or by page id as its documentation has it', async () => {
        await kvcached.vllm.initKvcached({device: 'cpu'})
        const {createKvTensors, kvTensorsCreated, mapToKvTensors, unmapFromKvTensors} = kvcached.vmmOps
        expect(kvTensorsCreated()).to.equal(false)
        expect(mapToKvTensors([0])).to.equal(false)
        const raw = createKvTensors(8 * PAGE, 2, 'cpu', LAYERS)
        expect(kvTensorsCreated()).to.equal(true)
        expect(raw.map(({shape}) => shape)).to.deep.equal(
          isContiguous ? [[(8 * PAGE * LAYERS) / 2]] : [[(8 * PAGE) / 2], [(8 * PAGE) / 2]],
        )
        const step = isContiguous ? PAGE * LAYERS * 2 : PAGE
        expect(mapToKvTensors([0, 2 * step])).to.equal(true)
        expect(mapToKvTensors([0])).to.equal(true)
        expect(resident()).to.equal(2 * PAGE * LAYERS * 2)
        expect(mapToKvTensors([3], [])).to.equal(true)
        expect(resident()).to.equal(3 * PAGE * LAYERS * 2)
        expect(unmapFromKvTensors([0, 2, 3], [])).to.equal(true)
        expect(resident()).to.equal(0)
        for (const offset of [1, step / 2, 4 * step, -step])
          expect(() => mapToKvTensors([offset])).to.throw(RangeError)
        expect(() => createKvTensors(8 * PAGE, 3, 'cpu', LAYERS)).to.throw(
          ConfigurationError,
          'elements of 3 bytes',
        )
      })
    })
  }

  const pool = async (numBlocks = 8 * BLOCKS_PER_PAGE) => {
    await kvcached.vllm.initKvcached({device: 'cpu'})
    const tensors = kvcached.vllm.allocKvCache(
      [2, numBlocks, TOKENS, HEADS, SIZE],
      TOKENS,
      'float16',
      'cpu',
      LAYERS,
    )
    return {tensors, manager: await kvcached.vllm.getKvCacheManager(numBlocks, TOKENS, CELL, LAYERS)}
  }
  const bundle = PAGE * LAYERS * 2

  it('hands out blocks from 1 on, whose pages have memory just as long as they are used', async () => {
    const {tensors, manager} = await pool()
    expect(manager.availableSize()).to.equal(8 * BLOCKS_PER_PAGE - 1)
    const ids = manager.alloc(2 * BLOCKS_PER_PAGE)!
    expect(ids.slice(0, 3)).to.deep.equal([1, 2, 3])
    expect(manager.getMappedMemorySize('mb')).to.equal((3 * bundle) / MIB)
    expect(resident()).to.equal(3 * bundle)
    expect([...manager.getPageOccupancy([0, 1, 2, 7]).values()]).to.deep.equal([
      BLOCKS_PER_PAGE,
      BLOCKS_PER_PAGE,
      1,
      0,
    ])
    const last = tensors[1]!.at(1, ids.at(-1)!)
    last.write(new Uint16Array(TOKENS * HEADS * SIZE).map((_, index) => index))
    expect(last.at(2, 1, 1).read()[0]).to.equal(2 * HEADS * SIZE + SIZE + 1)
    manager.free(ids)
    expect(resident()).to.equal(bundle)
    expect(() => last.read(), 'a block that was freed').to.throw(RangeError)
    expect(() => manager.free([1])).to.throw('freed but not allocated')
    manager.clear()
    expect(manager.alloc(1)).to.deep.equal([1])
  })

  it('publishes its segment, and obeys a limit without a call within 200 ms', async () => {
    const {manager} = await pool()
    const read = (): bigint[] => {
      const bytes = readFileSync(join(folder, 'pool'))
      return [0, 8, 16].map(at => bytes.readBigInt64LE(at))
    }
    manager.free(manager.alloc(6 * BLOCKS_PER_PAGE)!)
    const kept = manager.alloc(3 * BLOCKS_PER_PAGE)!
    await until(() => read()[1] === BigInt(4 * bundle))
    expect(read()).to.deep.equal([BigInt(8 * bundle), BigInt(4 * bundle), 0n])
    await store.writeLimit('pool', BigInt(2 * bundle))
    await until(() => manager.observabilitySnapshot().in_shrink)
    expect(manager.alloc(2 * BLOCKS_PER_PAGE)).to.equal(null)
    manager.free(kept.slice(BLOCKS_PER_PAGE))
    await until(() => read()[1]! <= BigInt(2 * bundle))
    expect(manager.observabilitySnapshot()).to.include({in_shrink: false, total_pages: 2})
    await store.writeLimit('pool', BigInt(8 * bundle))
    await until(() => manager.getPageCounts().total === 8)
  })

  it('keeps pages ready in the background between the least and the most', async () => {
    start({KVCACHED_MIN_RESERVED_PAGES: '2', KVCACHED_MAX_RESERVED_PAGES: '3'})
    const {manager} = await pool()
    await until(() => manager.getPageCounts().reserved === 2)
    expect(resident()).to.equal(3 * bundle)
    manager.free(manager.alloc(5 * BLOCKS_PER_PAGE)!)
    expect(manager.getPageCounts()).to.include({inUse: 1, reserved: 3})
    expect(resident()).to.equal(4 * bundle)
    manager.trim()
    expect(manager.getPageCounts().reserved).to.equal(0)
  })

  it('says of itself what kvcached says', async () => {
    const {manager} = await pool()
    manager.alloc(3)
    expect(manager.tryToReserve(2)).to.equal(true)
    expect(kvcached.vllm.observabilitySnapshot()).to.deep.equal({
      schema_version: 'kvcached.observability.v1',
      engine: 'vllm',
      initialized: true,
      device: 'cpu',
      world_size: 1,
      pp_rank: 0,
      async_sched: false,
      contiguous_layout: true,
      is_worker: false,
    })
    expect(kvcached.sglang.observabilitySnapshot()).to.include({engine: 'sglang', is_worker: null})
    expect(kvcached.sglang.kvCachePoolSnapshots()).to.deep.equal([])
    const [snapshot] = kvcached.vllm.kvCachePoolSnapshots()
    expect(snapshot).to.deep.include({
      pool_type: 'kv_cache',
      integration: 'vllm',
      pool_name: 'block_pool',
      group_id: 0,
      page_size_bytes: PAGE,
      block_size_bytes: BLOCK,
      total_blocks: 8 * BLOCKS_PER_PAGE,
      allocated_blocks: 6,
      reserved_blocks: 2,
      available_blocks: 8 * BLOCKS_PER_PAGE - 4,
      allocated_bytes: 6 * BLOCK * LAYERS * 2,
      virtual_total_bytes: 8 * bundle,
      mapped_bytes: bundle,
      inuse_pages: 1,
      null_block_reserved: true,
      available_physical_pages: null,
      resize_target_bytes: -1,
    })
    await store.writeLimit('pool', BigInt(3 * bundle))
    await until(() => manager.observabilitySnapshot().resize_target_bytes === 3 * PAGE)
  })

  it('takes limits from within in the order of their revisions, and says so in its segment', async () => {
    const {manager} = await pool()
    expect(manager.memoryLimitState()).to.deep.include({
      ...{status: 'applied', limit_bytes: null, revision: null, effective_limit_bytes: 8 * bundle},
      ...{mapped_bytes: bundle, remaining_bytes: 7 * bundle, overage_bytes: 0, reason: ''},
    })
    const held = manager.alloc(3 * BLOCKS_PER_PAGE)!
    const limit = async (bundles: number, revision: number) =>
      kvcached.vllm.setInstanceMemoryLimit(bundles * bundle, {revision})
    const deferred = await limit(2.5, 4)
    expect(deferred).to.deep.include({
      ...{status: 'deferred', reason: 'inuse_capacity_above_limit', effective_limit_bytes: 2 * bundle},
      ...{mapped_bytes: 4 * bundle, overage_bytes: 2 * bundle, remaining_bytes: 0, limit_bytes: 2.5 * bundle},
    })
    expect(readFileSync(join(folder, 'pool')).readBigInt64LE(0)).to.equal(BigInt(2 * bundle))
    expect(manager.alloc(2 * BLOCKS_PER_PAGE)).to.equal(null)
    manager.free(held)
    expect(await limit(2.5, 4), 'the same again').to.deep.include({status: 'applied', mapped_bytes: bundle})
    expect(manager.memoryLimitState().current_capacity_bytes).to.equal(2 * bundle)
    expect(await limit(7, 3)).to.include({status: 'stale'})
    expect(await limit(7, 4)).to.include({status: 'conflict', reason: 'revision_reused_with_different_limit'})
    expect(manager.getPageCounts().total).to.equal(2)
    // A limit from outside counts too; the next one from within replaces it.
    await store.writeLimit('pool', BigInt(5 * bundle))
    await until(() => manager.getPageCounts().total === 5)
    expect(await limit(100, 5)).to.include({status: 'applied', effective_limit_bytes: 8 * bundle})
    expect(manager.getPageCounts().total).to.equal(8)
    manager.alloc(1)
    expect(await limit(0, 6)).to.include({status: 'deferred', effective_limit_bytes: 0})
    expect(
      (await store.list()).map(({name}) => name),
      'still to be seen',
    ).to.deep.equal(['pool'])
    expect(await manager.setMemoryLimit(-1, {revision: 9}).catch((error: unknown) => error)).to.be.instanceOf(
      RangeError,
    )
    const both = await Promise.all([limit(4, 8), limit(3, 7)])
    expect(both.map(({status}) => status)).to.deep.equal(['applied', 'stale'])
    expect(manager.memoryLimitState()).to.include({revision: 8, limit_bytes: 4 * bundle})
    await kvcached.vllm.shutdownKvcached()
    expect(await limit(1, 7)).to.include({status: 'unavailable'})
  })

  it('tells how the memory of a KV cache lies', async () => {
    for (const isContiguous of [true, false]) {
      start({KVCACHED_CONTIGUOUS_LAYOUT: String(isContiguous)})
      await kvcached.vllm.initKvcached({device: 'cpu'})
      const shape = [2, 9, TOKENS, HEADS, SIZE]
      kvcached.vllm.allocKvCache(shape, TOKENS, 'float16', 'cpu', LAYERS, 'HYBRID_LINEAR')
      const {buffers, ...info} = kvcached.vllm.kvCacheInfo()
      expect(info).to.deep.equal({
        numBlocks: (16 * MIB) / BLOCK,
        pageSizeBytes: 2 * BLOCK,
        blockStrideBytes: (isContiguous ? LAYERS : 1) * 2 * BLOCK,
        numPools: LAYERS,
        isContiguous,
      })
      expect(buffers.length).to.equal(isContiguous ? 1 : LAYERS)
      expect(() => kvcached.vllm.kvCacheInfo(3)).to.throw(ResourceError, 'group 3')
      await kvcached.vllm.shutdownKvcached()
    }
  })

  for (const isContiguous of [true, false]) {
    it(`keeps mamba states by slot, ${isContiguous ? 'all layers together' : 'layer by layer'}`, async () => {
      start({KVCACHED_CONTIGUOUS_LAYOUT: String(isContiguous)})
      const {sglang} = kvcached
      await sglang.initKvcached({device: 'cpu'})
      const cacheParams = {
        shape: {conv: [[3, 5], [7]], temporal: [2, 4, 8]},
        dtype: {conv: 'bfloat16', temporal: 'torch.float32'},
      }
      const states = sglang.allocMambaStates({
        numSlots: 500,
        numMambaLayers: LAYERS,
        cacheParams,
        device: 'cpu',
      })
      // 30 bytes, 14 more, then 64 numbers of 4 bytes: 300, of which 512 is the next divisor of 2 MiB.
      expect(states.info).to.deep.equal({
        ...{cellSize: 512, numSlots: 500, numMambaLayers: LAYERS, isContiguous},
        ...{convOffsets: [0, 30], temporalOffset: 44},
      })
      expect(states.convState.map(layers => layers.map(({shape}) => shape))).to.deep.equal([
        Array(LAYERS).fill([500, 3, 5]),
        Array(LAYERS).fill([500, 7]),
      ])
      const manager = await sglang.getKvCacheManager(4096, 1, 512, LAYERS, {
        numKvBuffers: 1,
        poolName: 'mamba',
      })
      const [slot] = manager.alloc(1)!
      states.convState[1]![1]!.at(slot!, 6).write(Uint16Array.of(0x1234))
      states.temporalState[1]!.at(slot!, 1, 3, 7).write(Float32Array.of(1.5))
      const cell = isContiguous ? (slot! * LAYERS + 1) * 512 : slot! * 512
      expect(wordAt(isContiguous ? 0 : 1, cell + 30 + 12)).to.equal(0x1234)
      // 1.5 is 0x3fc00000.
      expect(wordAt(isContiguous ? 0 : 1, cell + 44 + 63 * 4 + 2)).to.equal(0x3fc0)
      expect(() =>
        sglang.allocMambaStates({
          ...{numSlots: 1, numMambaLayers: 1, device: 'cpu', groupId: 5},
          cacheParams: {shape: {conv: [], temporal: [PAGE]}, dtype: {conv: 'float16', temporal: 'float16'}},
        }),
      )
        .to.throw(ConfigurationError, 'do not fit into a page')
        .with.property('code', 'KV_BLOCK_TOO_LARGE')
    })
  }

  it('gives a second group of tensors a segment of its own', async () => {
    await pool()
    kvcached.vllm.allocKvCache([2, 9, TOKENS, HEADS, SIZE], TOKENS, 'float16', 'cpu', LAYERS, 'MHA', 'NHD', 7)
    const other = await kvcached.vllm.getKvCacheManager(BLOCKS_PER_PAGE, TOKENS, CELL, LAYERS, {
      groupId: 7,
      poolName: 'window',
    })
    expect(other.poolName).to.equal('window')
    expect(existsSync(join(folder, 'pool_g7'))).to.equal(true)
    expect(() => kvcached.vmmOps.createKvTensors(PAGE, 2, 'cpu', 1)).to.throw(
      ConfigurationError,
      'group 0 exist already',
    )
    expect(() => kvcached.vllm.allocKvCache([2, 9, 16, 8, 64], 16, 'float16', 'cuda:0', 2)).to.throw(
      ConfigurationError,
      'initialised on cpu, not on cuda:0',
    )
  })

  it('gives everything back on shutdown, after which nothing can be read or handed out', async () => {
    const {tensors, manager} = await pool()
    manager.alloc(5)
    await kvcached.vllm.shutdownKvcached()
    await kvcached.vllm.shutdownKvcached()
    expect(resident()).to.equal(0)
    expect(() => tensors[0]!.at(0, 1, 0, 0).read()).to.throw(RangeError)
    expect(() => manager.alloc(1)).to.throw("the pool 'block_pool' is closed")
    expect(manager.availableSize()).to.equal(0)
    await kvcached.vllm.initKvcached({device: 'cpu'})
    await pool()
  })

  it("is vLLM's block pool: evicts what is only cached, and says when blocks are short", async () => {
    const {manager} = await pool(2 * BLOCKS_PER_PAGE)
    const numGpuBlocks = 2 * BLOCKS_PER_PAGE
    const blocks = new ElasticBlockPool(manager, {numGpuBlocks, enableCaching: true})
    const [first, second] = blocks.getNewBlocks(2)
    blocks.cacheFullBlocks([first!], ['hash'])
    blocks.touch([first!])
    expect(blocks.getUsage()).to.be.closeTo(2 / (numGpuBlocks - 1), 1e-9)
    blocks.freeBlocks([second!, first!])
    blocks.freeBlocks([first!])
    expect(blocks.getCachedBlock('hash')).to.equal(first)
    expect(blocks.getNumFreeBlocks()).to.equal(numGpuBlocks - 1)
    expect(() => blocks.getNewBlocks(numGpuBlocks))
      .to.throw(ResourceError, `Cannot get ${numGpuBlocks} free blocks from the pool`)
      .with.property('code', 'KV_BLOCKS_SHORT')
    const all = blocks.getNewBlocks(numGpuBlocks - 1)
    expect(blocks.getCachedBlock('hash')).to.equal(null)
    expect(blocks.resetPrefixCache()).to.equal(false)
    blocks.freeBlocks(all)
    expect(blocks.resetPrefixCache()).to.equal(true)
    expect(resident()).to.equal(bundle)
  })

  it("is SGLang's pool of keys and values by token", async () => {
    await kvcached.sglang.initKvcached({device: 'cpu'})
    const shape = {pageSize: TOKENS, dtype: 'float16', headNum: HEADS, headDim: SIZE, layerNum: LAYERS}
    const tokens = await ElasticMHATokenToKVPool.create(kvcached.sglang, {
      ...shape,
      size: 4096,
      device: 'cpu',
    })
    // 257 blocks are two pages of 128 and one block that fills none; block 0 is nobody's.
    expect(tokens.availableSize()).to.equal((2 * BLOCKS_PER_PAGE - 1) * TOKENS)
    const slots = tokens.alloc(2 * TOKENS)!
    expect(slots.slice(0, 2)).to.deep.equal([TOKENS, TOKENS + 1])
    const row = HEADS * SIZE
    const keys = new Uint16Array(2 * row).map((_, index) => index)
    tokens.setKvBuffer(
      1,
      [slots[3]!, slots[20]!],
      keys,
      keys.map(word => word + 1),
    )
    expect(tokens.getKeyBuffer(1).at(slots[20]!).read()).to.deep.equal(keys.subarray(row))
    expect(tokens.getValueBuffer(1).at(slots[3]!, 0, 0).read()[0]).to.equal(1)
    expect(() => tokens.alloc(5)).to.throw(RangeError, 'pages of 16')
    expect(() => tokens.getKeyBuffer(2)).to.throw(RangeError, 'layer 2 of 2')
    tokens.free(slots)
    expect(tokens.kvCacheManager.observabilitySnapshot().allocated_blocks).to.equal(1)
    await tokens.close()
  })
})
