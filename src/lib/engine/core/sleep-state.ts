/** 0 only stops scheduling, 1 keeps the weights in host memory and drops the KV cache, 2 drops both. */
export type SleepLevel = 0 | 1 | 2

/** What becomes of requests when scheduling stops: they end, the running ones end by themselves, or they stay. */
export type PauseMode = 'abort' | 'wait' | 'keep'

export const SLEEP_TAGS = ['weights', 'kv_cache', 'scheduling'] as const

/** What can be asleep, and be woken on its own. */
export type SleepTag = (typeof SLEEP_TAGS)[number]

/** The states of `vllm:engine_sleep_state`. */
export type SleepSeries = 'awake' | 'weights_offloaded' | 'discard_all'

/**
 * What of an engine is asleep.
 *
 * @see vllm-project/vllm:vllm/v1/engine/core.py and vllm/v1/executor/abstract.py — the same tags, and which calls do nothing
 */
export class SleepState {
  readonly #asleep = new Set<SleepTag>()
  #level: SleepLevel = 0

  /** Anything is asleep, if only scheduling. */
  get isSleeping(): boolean {
    return this.#asleep.size > 0
  }

  get isPaused(): boolean {
    return this.#asleep.has('scheduling')
  }

  isAsleep(tag: SleepTag): boolean {
    return this.#asleep.has(tag)
  }

  /** As vLLM's gauge has it: awake from the first wake-up on, even while the KV cache still sleeps. */
  get series(): SleepSeries {
    if (!this.isPaused || this.#level === 0) return 'awake'
    return this.#level === 1 ? 'weights_offloaded' : 'discard_all'
  }

  fallAsleep(level: SleepLevel): void {
    this.#level = level
    this.#asleep.add('scheduling')
    if (level === 0) return
    this.#asleep.add('weights')
    this.#asleep.add('kv_cache')
  }

  /** Is all of this asleep? A call to wake anything else does nothing at all. @param tags null for whatever sleeps */
  canWake(tags: readonly SleepTag[] | null): boolean {
    return this.isSleeping && (tags ?? []).every(tag => this.#asleep.has(tag))
  }

  /** Wakes what the tags name, null for all, and scheduling with it. Changes nothing where {@link canWake} says no. */
  wake(tags: readonly SleepTag[] | null): void {
    if (!this.canWake(tags)) return
    for (const tag of tags ?? SLEEP_TAGS) this.#asleep.delete(tag)
    this.#asleep.delete('scheduling')
  }
}
