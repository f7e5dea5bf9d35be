import {ResourceError, type Logger} from '../foundation/index.js'
import type {EngineCore} from './core/engine-core.js'
import {SleepState, type PauseMode, type SleepLevel, type SleepTag} from './core/sleep-state.js'
import type {KvMemory} from './kv-memory.js'

/** What {@link Sleeper} asks of the engine around it. */
export interface SleeperParts {
  readonly core: EngineCore
  readonly memory: KvMemory
  readonly logger: Logger
  readonly abortAll: () => void
  /** Takes a turn soon, in which {@link Sleeper.advance} is called. */
  readonly runSoon: () => void
}

interface FallingAsleep {
  readonly level: SleepLevel
  /** Running requests still end, or what sleeps is set and memory is on its way back. */
  phase: 'stopping' | 'unmapping'
  readonly isOver: Promise<void>
  finish(): void
  fail(error: unknown): void
}

/** Puts an engine to sleep and wakes it: scheduling stops, and from level 1 on all KV memory goes back to the machine. */
export class Sleeper {
  readonly #parts: SleeperParts
  readonly #state = new SleepState()
  #falling: FallingAsleep | null = null

  constructor(parts: SleeperParts) {
    this.#parts = parts
  }

  get state(): SleepState {
    return this.#state
  }

  /** @returns once everything that shall sleep does, and its memory is back with the machine */
  async sleep(level: SleepLevel, mode: PauseMode): Promise<void> {
    const {core, logger, abortAll, runSoon} = this.#parts
    if (this.#state.isSleeping || this.#falling) {
      logger.warn('the engine sleeps already; this call to sleep does nothing')
      return this.#falling?.isOver
    }
    if (mode === 'abort') abortAll()
    core.admission = mode === 'wait' ? 'draining' : 'closed'
    this.#falling = fallingAsleep(level)
    runSoon()
    return this.#falling.isOver
  }

  /** @throws ResourceError `MEMORY_EXHAUSTED` when the machine has no page for the KV cache; all stays asleep then */
  wake(tags: readonly SleepTag[] | null): void {
    const {core, memory, logger, runSoon} = this.#parts
    const state = this.#state
    const stopsFalling = this.#falling?.phase === 'stopping' && tags === null
    if (!stopsFalling && !state.canWake(tags)) {
      logger.warn(`not all of ${tags?.join(', ') ?? 'the engine'} sleeps; this call to wake up does nothing`)
      return
    }
    if (state.isAsleep('kv_cache') && (tags?.includes('kv_cache') ?? true)) memory.occupy()
    if (!stopsFalling) state.wake(tags)
    if (!state.isSleeping) {
      core.admission = 'open'
      this.#fallen()
    }
    runSoon()
  }

  /** Goes on with falling asleep; called after every turn. */
  advance(): void {
    const falling = this.#falling
    if (!falling) return
    const {core, memory, runSoon} = this.#parts
    if (falling.phase === 'stopping') {
      if (core.admission === 'draining' && core.isBusy) return
      core.admission = 'closed'
      if (falling.level > 0) {
        core.preemptAll()
        core.scheduler.pool.resetPrefixes()
        memory.vacate()
      }
      this.#state.fallAsleep(falling.level)
      falling.phase = 'unmapping'
      runSoon()
    }
    if (!this.#state.isAsleep('kv_cache') || memory.manager.doomedPages === 0) this.#fallen()
  }

  /** The engine ends or failed: whoever waits for it to sleep is told so. */
  close(): void {
    const error = new ResourceError('ENGINE_CLOSED', 'the engine ended before it slept')
    this.#falling?.fail(error)
    this.#falling = null
  }

  #fallen(): void {
    this.#falling?.finish()
    this.#falling = null
  }
}

function fallingAsleep(level: SleepLevel): FallingAsleep {
  let finish!: () => void
  let fail!: (error: unknown) => void
  const isOver = new Promise<void>((resolve, reject) => ([finish, fail] = [resolve, reject]))
  return {level, phase: 'stopping', isOver, finish, fail}
}
