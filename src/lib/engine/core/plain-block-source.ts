import type {BlockSource} from './ports.js'

/** Ids 1 … numBlocks−1, all there from the start: vLLM's pool of fixed size. */
export function plainBlockSource(numBlocks: number): BlockSource {
  let isTaken = false
  return {
    numBlocks,
    idLimit: numBlocks,
    isElastic: false,
    take(count) {
      if (isTaken || count === 0) return []
      isTaken = true
      return Array.from({length: numBlocks - 1}, (_, index) => index + 1)
    },
    give() {
      throw new Error('a plain pool keeps its blocks')
    },
    available: () => (isTaken ? 0 : numBlocks - 1),
    capacity: () => numBlocks - 1,
    over: () => 0,
  }
}
