import type {EngineCore} from './core/engine-core.js'
import type {KvMemory} from './kv-memory.js'

const MOVES_AT_ONCE = 64

export interface Tidied {
  /** There was nothing more to do. */
  readonly isDone: boolean
  readonly didAnything: boolean
}

/**
 * Brings memory into shape between two steps, one page at a time: blocks out of thin pages while a limit is not met, memory
 * of freed pages back to the machine, pages ahead of need.
 *
 * @param hasTime asked after every page
 */
export function tidyMemory(core: EngineCore, memory: KvMemory, hasTime: () => boolean): Tidied {
  const {manager} = memory
  for (let didAnything = false; ; didAnything = true) {
    const didThis = compact(core, memory) || manager.unmapDoomed(1) > 0 || manager.preallocate(1) > 0
    if (!didThis) return {isDone: true, didAnything}
    if (!hasTime()) return {isDone: false, didAnything: true}
  }
}

function compact(core: EngineCore, memory: KvMemory): boolean {
  const moves = memory.manager.planCompaction(MOVES_AT_ONCE)
  if (moves.length === 0) return false
  core.relocate(moves)
  memory.moveBlocks(moves)
  return true
}
