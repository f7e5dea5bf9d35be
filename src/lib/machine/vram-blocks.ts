import {usedBlocks} from '../inference/index.js'
import type {MachineEngine} from './machine-look.js'
import type {VramDocument, VramProcess} from './vram-json.js'

/** A list of blocks in short: engines tell counts, and Blackbox declares the first ids used. */
export interface BlockRuns {
  readonly allocated: number
  readonly utilized: number
  /** Neighbouring blocks of one size, in the order of their ids. */
  readonly sizes: readonly {readonly count: number; readonly bytes: number}[]
  /** How the size is known; null without blocks. */
  readonly sizeSource: string | null
}

/** Blackbox's where no process looks like an engine. */
const FALLBACK_BYTES = 16_384

/**
 * Pure: the blocks of all cores of all engines that tell them. A block's size is the real one where it is known, else what
 * Blackbox makes of it: the memory of the first process that looks like an engine, over all blocks.
 *
 * @see maxdcmn/blackbox:blackbox-server/src/main.cpp — names that contain python, vllm or VLLM; 16384 without one
 */
export function blockRunsOf(engines: readonly MachineEngine[], processes: readonly VramProcess[]): BlockRuns {
  const pools = engines.flatMap(engine => engine.pools.map(pool => ({pool, engine})))
  const known = pools.filter(({pool}) => pool.totalBlocks !== null)
  const allocated = known.reduce((sum, {pool}) => sum + pool.totalBlocks!, 0)
  const utilized = known.reduce((sum, {pool}) => sum + (usedBlocks(pool) ?? 0), 0)
  if (allocated === 0) return {allocated, utilized, sizes: [], sizeSource: null}
  const lookalike = processes.find(({name}) => /python|vllm|VLLM/.test(name))
  const quotient = lookalike ? Math.floor(lookalike.used_bytes / allocated) : FALLBACK_BYTES
  const guess = {bytes: quotient, source: lookalike ? 'process_memory' : 'fallback'}
  const sized = known.map(({pool, engine}) => {
    const isBelieved = engine.block !== null && engine.memory.kvUsed.bytes !== null
    return {count: pool.totalBlocks!, ...(isBelieved ? engine.block : guess)}
  })
  return {
    allocated,
    utilized,
    sizes: sized.map(({count, bytes}) => ({count, bytes})),
    sizeSource: [...new Set(sized.map(({source}) => source))].join('+'),
  }
}

/** Which blocks an answer lists. */
export type BlockChoice = 'all' | 'none' | 'summary' | {readonly from: number; readonly to: number}

/**
 * Writes documents. A list of 14,401 blocks has 1.4 MB, so its text is kept and cut anew where the number of used blocks
 * changes.
 */
export class VramWriter {
  #key = ''
  /** The list with every flag true, with every flag false, and where each block ends in either. */
  #used = ''
  #free = ''
  #usedEnds: number[] = []
  #freeEnds: number[] = []

  /** @returns the document as JSON on one line */
  write(document: VramDocument, runs: BlockRuns, choice: BlockChoice): string {
    if (choice === 'none') return JSON.stringify(document)
    if (choice === 'summary') return JSON.stringify({...document, block_runs: summaryOf(runs)})
    const list =
      choice === 'all' ? this.#list(runs, 0, runs.allocated - 1) : this.#list(runs, choice.from, choice.to)
    // Within a JSON string the quotes would be escaped, so this is the key.
    return JSON.stringify(document).replace('"blocks":[]', () => `"blocks":[${list}]`)
  }

  #list(runs: BlockRuns, from: number, to: number): string {
    this.#prepare(runs)
    const last = Math.min(to, runs.allocated - 1)
    if (from > last) return ''
    const startOf = (ends: readonly number[], block: number): number =>
      block === 0 ? 0 : ends[block - 1]! + 1
    const part = (text: string, ends: readonly number[], first: number, end: number): string =>
      first > end ? '' : text.slice(startOf(ends, first), ends[end])
    const used = part(this.#used, this.#usedEnds, from, Math.min(last, runs.utilized - 1))
    const free = part(this.#free, this.#freeEnds, Math.max(from, runs.utilized), last)
    return used !== '' && free !== '' ? `${used},${free}` : used + free
  }

  #prepare({sizes}: BlockRuns): void {
    const key = JSON.stringify(sizes)
    if (key === this.#key) return
    this.#key = key
    const bytes = sizes.flatMap(({count, bytes: size}) => new Array<number>(count).fill(size))
    ;[this.#used, this.#usedEnds] = listOf(bytes, true)
    ;[this.#free, this.#freeEnds] = listOf(bytes, false)
  }
}

function listOf(sizes: readonly number[], isUsed: boolean): [text: string, ends: number[]] {
  let end = -1
  const ends: number[] = []
  const blocks = sizes.map((size, id) => {
    const block = `{"block_id":${id},"address":0,"size":${size},"type":"kv_cache","allocated":true,"utilized":${isUsed}}`
    end += block.length + 1
    ends.push(end)
    return block
  })
  return [blocks.join(','), ends]
}

/** Runs of equal blocks: first and last id, size, and whether they are used. */
function summaryOf({sizes, utilized}: BlockRuns): object[] {
  const runs: object[] = []
  let first = 0
  for (const {count, bytes} of sizes) {
    const end = first + count
    const cut = Math.min(Math.max(utilized, first), end)
    if (cut > first) runs.push({first_id: first, last_id: cut - 1, size: bytes, utilized: true})
    if (end > cut) runs.push({first_id: cut, last_id: end - 1, size: bytes, utilized: false})
    first = end
  }
  return runs
}
