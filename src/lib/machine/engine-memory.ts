import {usedBlocks, type KvPool} from '../inference/index.js'

/** A part of an engine's memory: what it is and how that is known. */
export interface MemoryPart {
  readonly bytes: number | null
  /** Null where it is unknown. */
  readonly basis: 'measured' | 'derived' | null
  /** What it was read from or computed of; of an unknown part, why it is unknown. */
  readonly from: string
}

/** Where an engine's GPU memory goes; on a CPU, its KV cache alone. */
export interface EngineMemory {
  /** All that its processes hold on GPUs. */
  readonly total: MemoryPart
  readonly weightsAndRuntime: MemoryPart
  /** All that is set aside for KV blocks. */
  readonly kvReserved: MemoryPart
  /** Held by requests. */
  readonly kvUsed: MemoryPart
  /** Kept for later requests, free to be taken. */
  readonly kvCachedFree: MemoryPart
  /** The rest of what is reserved; where cached blocks are unknown, they are among it. */
  readonly kvFree: MemoryPart
}

export interface EngineMemoryFacts {
  /** Null where no process of it has memory on a GPU, or that is not told. */
  readonly processBytes: number | null
  readonly segment: {readonly usedBytes: number; readonly preallocBytes: number} | null
  readonly pools: readonly KvPool[]
  readonly blockBytes: number | null
}

const measured = (bytes: number, from: string): MemoryPart => ({bytes, basis: 'measured', from})
const derived = (bytes: number, from: string): MemoryPart => ({
  bytes: Math.round(bytes),
  basis: 'derived',
  from,
})
const unknown = (from: string): MemoryPart => ({bytes: null, basis: null, from})

/**
 * Pure: the parts from what NVML, a segment and the engine's figures say.
 *
 * kvcached's engines count in their segment what is mapped: used (cached blocks included) and preallocated. Others set
 * everything aside at their start: blocks × bytes of a block.
 */
export function engineMemory(facts: EngineMemoryFacts): EngineMemory {
  const {processBytes, segment} = facts
  const blocks = blockCounts(facts.pools)
  const isPossible =
    facts.blockBytes !== null &&
    (segment !== null || processBytes === null || (blocks.total ?? 0) * facts.blockBytes <= processBytes)
  const blockBytes = isPossible ? facts.blockBytes : null
  const perBlock = (count: number | null): MemoryPart => {
    if (count === null) return unknown('the engine does not tell its blocks')
    return blockBytes === null
      ? unknown('the size of a block is not known')
      : derived(count * blockBytes, 'blocks × bytes of a block')
  }
  const kvReserved = segment
    ? measured(segment.usedBytes + segment.preallocBytes, 'segment')
    : perBlock(blocks.total)
  const {kvUsed, kvCachedFree} = segment
    ? usesOfSegment(segment.usedBytes, blocks, blockBytes)
    : {
        kvUsed: perBlock(blocks.used),
        kvCachedFree:
          blocks.cachedFree === null ? unknown('the engine does not tell') : perBlock(blocks.cachedFree),
      }
  const total =
    processBytes === null ? unknown('no GPU process of it is seen') : measured(processBytes, 'NVML')
  const whyNoWeights = processBytes === null ? total.from : kvReserved.from
  return {
    total,
    weightsAndRuntime: remainder(processBytes, [kvReserved], 'processes − KV reserved', whyNoWeights),
    kvReserved,
    kvUsed,
    kvCachedFree,
    kvFree: remainder(
      kvReserved.bytes,
      kvCachedFree.bytes === null ? [kvUsed] : [kvUsed, kvCachedFree],
      'KV reserved − in use − cached',
      kvUsed.bytes === null ? kvUsed.from : kvReserved.from,
    ),
  }
}

interface BlockCounts {
  readonly total: number | null
  readonly used: number | null
  readonly cachedFree: number | null
}

/** Sums over the cores of an engine; null where one of them does not tell. */
export function blockCounts(pools: readonly KvPool[]): BlockCounts {
  const sum = (counts: readonly (number | null)[]): number | null =>
    counts.length === 0 || counts.includes(null)
      ? null
      : counts.reduce<number>((total, count) => total + count!, 0)
  return {
    total: sum(pools.map(({totalBlocks}) => totalBlocks)),
    used: sum(pools.map(usedBlocks)),
    cachedFree: sum(pools.map(({cachedFreeBlocks}) => cachedFreeBlocks)),
  }
}

function usesOfSegment(
  usedBytes: number,
  {used, cachedFree}: BlockCounts,
  blockBytes: number | null,
): Pick<EngineMemory, 'kvUsed' | 'kvCachedFree'> {
  const split = (bytes: number, from: string): Pick<EngineMemory, 'kvUsed' | 'kvCachedFree'> => ({
    kvUsed: derived(bytes, from),
    kvCachedFree: derived(usedBytes - bytes, from),
  })
  if (used !== null && cachedFree !== null) {
    const all = used + cachedFree
    return split(all === 0 ? 0 : (usedBytes * used) / all, "segment's used × share of its blocks")
  }
  if (used !== null && blockBytes !== null)
    return split(Math.min(usedBytes, used * blockBytes), 'blocks × bytes of a block, within the segment')
  return {
    kvUsed: measured(usedBytes, 'segment, cached blocks included'),
    kvCachedFree: unknown('the engine does not tell'),
  }
}

function remainder(
  whole: number | null,
  parts: readonly MemoryPart[],
  from: string,
  whyNot: string,
): MemoryPart {
  if (whole === null || parts.some(({bytes}) => bytes === null)) return unknown(whyNot)
  return derived(
    Math.max(
      0,
      parts.reduce((left, {bytes}) => left - bytes!, whole),
    ),
    from,
  )
}
