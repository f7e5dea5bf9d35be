import {expect} from 'chai'
import type {KvPool} from '../../../src/lib/inference/index.js'
import {engineMemory, type EngineMemory} from '../../../src/lib/machine/engine-memory.js'

const GIB = 2 ** 30
const MIB = 2 ** 20
const pool = (more: Partial<KvPool>): KvPool => ({
  core: '0',
  totalBlocks: 1000,
  blockTokens: 16,
  usage: 0.5,
  cachedFreeBlocks: null,
  blockBytes: null,
  cacheDtype: 'auto',
  ...more,
})
const shown = (memory: EngineMemory): Record<string, [number | null, string | null]> =>
  Object.fromEntries(Object.entries(memory).map(([name, {bytes, basis}]) => [name, [bytes, basis]]))

describe('the memory of an engine', () => {
  it('of vLLM is its processes, its blocks, and the rest as weights and runtime', () => {
    // 1000 blocks of 2 MiB: 2000 MiB reserved, half of it in use.
    const facts = {processBytes: 20 * GIB, segment: null, pools: [pool({})], blockBytes: 2 * MIB}
    expect(shown(engineMemory(facts))).to.deep.equal({
      total: [20 * GIB, 'measured'],
      weightsAndRuntime: [20 * GIB - 2000 * MIB, 'derived'],
      kvReserved: [2000 * MIB, 'derived'],
      kvUsed: [1000 * MIB, 'derived'],
      kvCachedFree: [null, null],
      kvFree: [1000 * MIB, 'derived'],
    })
  })

  it('tells what is cached but free where the engine tells it', () => {
    const pools = [pool({cachedFreeBlocks: 300})]
    const memory = engineMemory({processBytes: null, segment: null, pools, blockBytes: MIB})
    expect(shown(memory)).to.deep.include({
      kvUsed: [500 * MIB, 'derived'],
      kvCachedFree: [300 * MIB, 'derived'],
      kvFree: [200 * MIB, 'derived'],
      weightsAndRuntime: [null, null],
    })
    expect(memory.weightsAndRuntime.from).to.equal('no GPU process of it is seen')
  })

  it('of a kvcached engine is measured in its segment and split by its blocks', () => {
    const segment = {usedBytes: 800 * MIB, preallocBytes: 200 * MIB}
    // 100 used and 300 cached of what is mapped: a quarter in use.
    const pools = [pool({usage: 0.1, cachedFreeBlocks: 300})]
    expect(shown(engineMemory({processBytes: 10 * GIB, segment, pools, blockBytes: null}))).to.deep.equal({
      total: [10 * GIB, 'measured'],
      weightsAndRuntime: [10 * GIB - 1000 * MIB, 'derived'],
      kvReserved: [1000 * MIB, 'measured'],
      kvUsed: [200 * MIB, 'derived'],
      kvCachedFree: [600 * MIB, 'derived'],
      kvFree: [200 * MIB, 'derived'],
    })
  })

  it('of a kvcached engine that tells no cached blocks is split by the bytes of those in use', () => {
    const segment = {usedBytes: 800 * MIB, preallocBytes: 0}
    const memory = (blockBytes: number | null): EngineMemory =>
      engineMemory({processBytes: null, segment, pools: [pool({usage: 0.1})], blockBytes})
    expect(shown(memory(2 * MIB))).to.deep.include({
      kvUsed: [200 * MIB, 'derived'],
      kvCachedFree: [600 * MIB, 'derived'],
    })
    // More than is mapped cannot be in use.
    expect(memory(100 * MIB).kvUsed.bytes).to.equal(800 * MIB)
    expect(shown(memory(null))).to.deep.include({
      kvUsed: [800 * MIB, 'measured'],
      kvCachedFree: [null, null],
    })
  })

  it('is unknown, with the reason, where blocks or their size are not told', () => {
    const of = (pools: KvPool[], blockBytes: number | null): EngineMemory =>
      engineMemory({processBytes: GIB, segment: null, pools, blockBytes})
    const blind = of([pool({totalBlocks: null})], MIB)
    expect([blind.kvReserved.bytes, blind.kvReserved.from]).to.deep.equal([
      null,
      'the engine does not tell its blocks',
    ])
    expect(blind.weightsAndRuntime.from).to.equal('the engine does not tell its blocks')
    const unsized = of([pool({})], null)
    expect(unsized.kvUsed.from).to.equal('the size of a block is not known')
    expect(Object.values(unsized).filter(({bytes}) => bytes !== null)).to.have.length(1)
  })

  it('does not believe a block size that makes the cache larger than its processes', () => {
    expect(
      engineMemory({processBytes: GIB, segment: null, pools: [pool({})], blockBytes: 2 * MIB}).kvReserved,
    ).to.deep.include({bytes: null, from: 'the size of a block is not known'})
  })
})
