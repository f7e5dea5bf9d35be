import {expect} from 'chai'
import {vramDocument, vramDocument2, VramWriter, type VramDocument} from '../../../src/lib/machine/index.js'
import {engineMemory} from '../../../src/lib/machine/engine-memory.js'
import {DRIVER_OK, engine, knownGpu, machineLook, pool, tenant} from '../../support/machine-look.js'

const GIB = 2 ** 30
/** Blackbox's example: 40 GiB, of which 8388608000 bytes are free. */
const A100 = {
  uuid: 'GPU-a',
  name: 'NVIDIA A100',
  memoryTotalBytes: 42_949_672_960,
  memoryFreeBytes: 8_388_608_000,
  memoryUsedWithReservedBytes: 34_561_064_960,
}
const VLLM = tenant(131_963, 31_299_958_784, {name: 'VLLM::EngineCor'})
const seed = machineLook([knownGpu(0, A100, [VLLM])], [engine([pool(14_401, 0)])])
const written = (look: typeof seed, wanted = 'all'): VramDocument => {
  const {document, blocks} = vramDocument(look, wanted)
  return JSON.parse(new VramWriter().write(document, blocks, 'all')) as VramDocument
}

describe('the document of /vram', () => {
  it("has Blackbox's keys first, in its order", () => {
    expect(Object.keys(written(seed)).slice(0, 14)).to.deep.equal([
      ...['total_bytes', 'used_bytes', 'free_bytes', 'reserved_bytes', 'used_percent', 'allocated_blocks'],
      ...['utilized_blocks', 'free_blocks', 'atomic_allocations_bytes', 'fragmentation_ratio', 'processes'],
      ...['threads', 'blocks', 'nsight_metrics'],
    ])
  })

  it("computes what Blackbox computes of its example's figures", () => {
    const document = written(seed)
    expect(document).to.deep.include({
      total_bytes: 42_949_672_960,
      used_bytes: 34_561_064_960,
      free_bytes: 8_388_608_000,
      reserved_bytes: 34_561_064_960,
      used_percent: 80.47,
      allocated_blocks: 14_401,
      utilized_blocks: 0,
      free_blocks: 14_401,
      atomic_allocations_bytes: 31_299_958_784,
      fragmentation_ratio: 0.8047,
      threads: [],
      block_size_source: 'process_memory',
    })
    expect(document.processes[0]).to.include({
      pid: 131_963,
      name: 'VLLM::EngineCor',
      used_bytes: 31_299_958_784,
      reserved_bytes: 31_299_958_784,
      type: 'C',
    })
    expect(document.blocks).to.have.length(14_401)
    // floor(31299958784 / 14401)
    expect(document.blocks[0]).to.deep.equal({
      block_id: 0,
      address: 0,
      size: 2_173_457,
      type: 'kv_cache',
      allocated: true,
      utilized: false,
    })
    const {reason, ...metrics} = document.nsight_metrics['131963']!
    expect(metrics).to.deep.equal({
      atomic_operations: 0,
      threads_per_block: 0,
      occupancy: 0,
      active_blocks: 0,
      memory_throughput: 0,
      dram_read_bytes: 0,
      dram_write_bytes: 0,
      available: false,
    })
    expect(reason).to.contain('kvctl nsight')
    expect([document.unavailable, document.warnings]).to.deep.equal([{}, []])
  })

  it('sums the blocks of every core, and declares the first ids used', () => {
    const document = written(machineLook([knownGpu(0, A100)], [engine([pool(1000, 0.5), pool(1000, 0.1)])]))
    expect(document).to.include({allocated_blocks: 2000, utilized_blocks: 600, free_blocks: 1400})
    expect(document.blocks.map(({utilized}) => utilized).lastIndexOf(true)).to.equal(599)
    expect(document.blocks.filter(({utilized}) => utilized)).to.have.length(600)
    // No process that looks like an engine.
    expect(document.blocks[0]!.size).to.equal(16_384)
    expect(document.block_size_source).to.equal('fallback')
  })

  it('takes the real size of a block where it is known', () => {
    const pools = [pool(100, 0.5)]
    const memory = engineMemory({processBytes: null, segment: null, pools, blockBytes: 2 ** 21})
    const known = engine(pools, {block: {bytes: 2 ** 21, source: 'model_table'}, memory})
    const document = written(machineLook([knownGpu(0, A100, [VLLM])], [known]))
    expect(document.blocks[0]!.size).to.equal(2 ** 21)
    expect(document.block_size_source).to.equal('model_table')
    expect(document.engines[0]!.memory.kv_used).to.deep.equal({
      bytes: 50 * 2 ** 21,
      basis: 'derived',
      from: 'blocks × bytes of a block',
    })
  })

  it('has no block and says so where an engine does not tell how many it has', () => {
    const document = written(machineLook([knownGpu(0, A100)], [engine([pool(null, 0.5)])]))
    expect(document).to.deep.include({allocated_blocks: 0, blocks: []})
    expect(document.unavailable).to.include({allocated_blocks: 'not_told_by_engine'})
    expect(document.warnings.map(({code}) => code)).to.deep.equal(['BLOCKS_UNKNOWN'])
  })

  it('takes used memory for the sum of processes where there is none', () => {
    expect(written(machineLook([knownGpu(0, A100)])).atomic_allocations_bytes).to.equal(34_561_064_960)
  })

  describe('on several GPUs', () => {
    const two = machineLook([
      knownGpu(0, {...A100, uuid: 'GPU-a'}, [tenant(1, GIB), tenant(2, 2 * GIB)]),
      knownGpu(1, {...A100, uuid: 'GPU-b', memoryFreeBytes: 0, memoryUsedWithReservedBytes: 42_949_672_960}, [
        tenant(1, 4 * GIB),
      ]),
    ])

    it('sums them, with a row for each process on each', () => {
      const document = written(two)
      expect(document).to.include({
        total_bytes: 2 * 42_949_672_960,
        free_bytes: 8_388_608_000,
        atomic_allocations_bytes: 7 * GIB,
      })
      expect(document.processes.map(({pid, gpu_uuid: uuid}) => [pid, uuid])).to.deep.equal([
        [1, 'GPU-a'],
        [2, 'GPU-a'],
        [1, 'GPU-b'],
      ])
      expect(Object.keys(document.nsight_metrics)).to.deep.equal(['1', '2'])
      expect(document.devices).to.have.length(2)
    })

    for (const [wanted, indexes] of [
      ['all', [0, 1]],
      ['0', [0]],
      ['1', [1]],
      ['1,0', [0, 1]],
      ['gpu-B', [1]],
      ['0,GPU-b', [0, 1]],
    ] as const) {
      it(`shows ${indexes.join(' and ')} for ?gpu=${wanted}`, () => {
        const document = written(two, wanted)
        expect(document.devices.map(({index}) => index)).to.deep.equal(indexes)
        expect(document.total_bytes).to.equal(indexes.length * 42_949_672_960)
      })
    }

    it('does not know others', () => {
      expect(() => vramDocument(two, '7'))
        .to.throw()
        .with.property('code', 'GPU_NOT_FOUND')
      expect(() => vramDocument(two, ''))
        .to.throw()
        .with.property('code', 'GPU_NOT_FOUND')
    })

    it('says what of a GPU cannot be read, and goes on with the other', () => {
      const {gpus} = two.gpus
      const lost = {
        ...knownGpu(1, {uuid: 'GPU-b', state: 'lost'}, null),
        unavailable: {memoryTotalBytes: 'gpu_lost', processes: 'gpu_lost'} as const,
      }
      const document = written(machineLook([gpus[0]!, lost]))
      expect(document.total_bytes).to.equal(42_949_672_960)
      expect(document.unavailable).to.include({total_bytes: 'gpu_lost', used_percent: 'gpu_lost'})
      expect(document.devices[1]).to.deep.include({state: 'lost', total_bytes: null, used_bytes: null})
      expect(document.warnings).to.deep.equal([{code: 'GPU_UNREADABLE', message: 'GPU 1 is lost'}])
    })
  })

  it('tells who holds the memory of a GPU', () => {
    const gpu = knownGpu(0, {...A100, memoryUsedBytes: 20 * GIB, memoryReservedBytes: GIB}, [
      tenant(1, 10 * GIB),
      tenant(2, 3 * GIB),
    ])
    const own = engine([pool(1, 0)], {gpuPids: [1], gpuIndexes: [0]})
    expect(written(machineLook([gpu], [own])).devices[0]!.memory).to.deep.equal({
      engines: [{url: 'http://localhost:8000', bytes: 10 * GIB}],
      other_processes: {bytes: 3 * GIB, basis: 'measured', from: 'NVML'},
      driver_reserved: {bytes: GIB, basis: 'measured', from: 'NVML'},
      unattributed: {bytes: 7 * GIB, basis: 'derived', from: 'used − processes'},
    })
  })

  for (const [what, look, reason, code] of [
    [
      'a driver',
      machineLook([], [], {...DRIVER_OK, state: 'no_library', problem: 'none'}),
      'no_library',
      'NVML_UNAVAILABLE',
    ],
    ['a GPU', machineLook([]), 'no_gpu', 'GPU_NOT_FOUND'],
  ] as const) {
    it(`is all zeros with a warning without ${what}, also for ?gpu=0`, () => {
      for (const wanted of ['all', '0']) {
        const document = written(look, wanted)
        expect(document).to.deep.include({
          ...{total_bytes: 0, used_bytes: 0, free_bytes: 0, reserved_bytes: 0, used_percent: 0},
          ...{allocated_blocks: 0, utilized_blocks: 0, free_blocks: 0, atomic_allocations_bytes: 0},
          ...{fragmentation_ratio: 0, processes: [], threads: [], blocks: [], nsight_metrics: {}},
        })
        expect(document.unavailable).to.include({total_bytes: reason, allocated_blocks: 'no_engine'})
        expect(document.warnings.map(warning => warning.code)).to.deep.equal([code])
      }
    })
  }

  it("is that of Blackbox's newer revisions on request", () => {
    const pools = [pool(100, 0.5)]
    const memory = engineMemory({processBytes: 4 * GIB, segment: null, pools, blockBytes: 2 ** 21})
    const figures = {
      ...{running: 1, waiting: 0, kvCacheUsage: 0.5, preemptions: 0, promptTokens: 0, generationTokens: 0},
      ...{prefixCacheQueries: 300, prefixCacheHits: 100, firstTokens: null, firstTokenSeconds: null},
    }
    const look = machineLook([knownGpu(0, A100)], [engine(pools, {memory, figures})])
    expect(vramDocument2(look, 'all')).to.deep.equal({
      total_vram_bytes: 42_949_672_960,
      allocated_vram_bytes: 34_561_064_960,
      used_kv_cache_bytes: 50 * 2 ** 21,
      prefix_cache_hit_rate: 33.33,
      models: [{model_id: 'm', port: 8000, allocated_vram_bytes: 4 * GIB, used_kv_cache_bytes: 50 * 2 ** 21}],
      unavailable: {},
      warnings: [],
    })
  })
})

describe('the list of blocks', () => {
  const writer = new VramWriter()
  const {document} = vramDocument(seed, 'all')
  const runs = (utilized: number): Parameters<typeof writer.write>[1] => ({
    allocated: 10,
    utilized,
    sizes: [
      {count: 6, bytes: 100},
      {count: 4, bytes: 7},
    ],
    sizeSource: 'engine',
  })
  const blocks = (utilized: number, choice: Parameters<typeof writer.write>[2]): VramDocument['blocks'] =>
    (JSON.parse(writer.write(document, runs(utilized), choice)) as VramDocument).blocks

  it('has each block once, with its size, and the used ones first, however many are used', () => {
    for (let utilized = 0; utilized <= 10; utilized++) {
      expect(blocks(utilized, 'all')).to.deep.equal(
        Array.from({length: 10}, (_, id) => ({
          ...{block_id: id, address: 0, size: id < 6 ? 100 : 7, type: 'kv_cache', allocated: true},
          utilized: id < utilized,
        })),
      )
    }
  })

  it('may be left out, cut, or told in runs', () => {
    expect(blocks(5, 'none')).to.deep.equal([])
    const part = blocks(5, {from: 3, to: 6})
    expect(part.map(({block_id: id, utilized}) => [id, utilized])).to.deep.equal([
      [3, true],
      [4, true],
      [5, false],
      [6, false],
    ])
    expect(blocks(5, {from: 8, to: 99})).to.have.length(2)
    expect(blocks(5, {from: 10, to: 12})).to.deep.equal([])
    const summary = JSON.parse(writer.write(document, runs(7), 'summary')) as Record<string, unknown>
    expect(summary['blocks']).to.deep.equal([])
    expect(summary['block_runs']).to.deep.equal([
      {first_id: 0, last_id: 5, size: 100, utilized: true},
      {first_id: 6, last_id: 6, size: 7, utilized: true},
      {first_id: 7, last_id: 9, size: 7, utilized: false},
    ])
  })
})
