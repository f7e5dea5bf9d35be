import {blockHash, noneHash} from './block-hash.js'
import {BlockPool} from './block-pool.js'
import type {BlockSource, ScheduledWork} from './ports.js'
import type {Sequence} from './sequence.js'
import {comparePriority, WaitingQueue, type SchedulingPolicy} from './waiting-queue.js'

export interface SchedulerOptions {
  /** Tokens per block. */
  readonly blockSize: number
  readonly maxModelLen: number
  /** Most sequences running at once. */
  readonly maxNumSeqs: number
  /** Most tokens computed in one step. */
  readonly maxNumBatchedTokens: number
  /** Most prompt tokens of one sequence in one step; 0 is no such limit. */
  readonly longPrefillTokenThreshold: number
  /** Without it a prompt waits until one step's budget holds all of it. */
  readonly enableChunkedPrefill: boolean
  readonly enablePrefixCaching: boolean
  readonly policy: SchedulingPolicy
  /** Admission needs room for the whole prompt, not only for its first chunk. */
  readonly reserveFullPrompt: boolean
  /** Start of the hash chain, as `PYTHONHASHSEED`; null is random. */
  readonly hashSeed: string | null
  /** Most blocks kept for their content alone; null is no limit. Only with an elastic source. */
  readonly maxCachedBlocks: number | null
}

/** What one call of {@link Scheduler.schedule} decided. */
export interface Schedule {
  readonly batch: readonly ScheduledWork[]
  readonly preempted: readonly Sequence[]
  /** Admitted for the first time. */
  readonly admitted: readonly Sequence[]
}

/**
 * Which sequences compute how many tokens next. Running ones come before waiting ones; when blocks run out the last in line
 * is preempted and starts over; the head of the waiting queue blocks those behind it.
 *
 * @see vllm-project/vllm:vllm/v1/core/sched/scheduler.py and vllm/v1/core/kv_cache_manager.py — the same rules, synchronous
 */
export class Scheduler {
  readonly running: Sequence[] = []
  readonly waiting: WaitingQueue
  readonly pool: BlockPool
  readonly #options: SchedulerOptions
  readonly #source: BlockSource
  readonly #chainStart: string
  #preemptions = 0
  #prefixQueries = 0
  #prefixHits = 0

  constructor(source: BlockSource, options: SchedulerOptions) {
    this.#options = options
    this.#source = source
    this.waiting = new WaitingQueue(options.policy)
    this.pool = new BlockPool(source, options.maxCachedBlocks)
    this.#chainStart = noneHash(options.hashSeed)
  }

  get preemptions(): number {
    return this.#preemptions
  }

  /** Tokens looked up in the prefix cache, again at every attempt to admit. */
  get prefixQueries(): number {
    return this.#prefixQueries
  }

  get prefixHits(): number {
    return this.#prefixHits
  }

  /** @param onlyPreempted nothing is admitted that has not run before */
  schedule(onlyPreempted = false): Schedule {
    const plan = new Plan(this.#options.maxNumBatchedTokens)
    this.#shed(plan)
    this.#scheduleRunning(plan)
    if (plan.preempted.length === 0) this.#scheduleWaiting(plan, onlyPreempted)
    const batch = [...plan.work.values()]
    for (const {sequence, newTokens} of batch) sequence.computedTokens += newTokens
    return {batch, preempted: plan.preempted, admitted: plan.admitted}
  }

  /** Preempts whatever runs, between two steps. @returns the sequences, last in line first */
  preemptAll(): readonly Sequence[] {
    const plan = new Plan(0)
    while (this.running.length > 0) this.#preempt(this.#victim(), plan)
    return plan.preempted
  }

  /** Takes a sequence out, wherever it is, and frees its blocks: the tail first, so that it is evicted first. */
  remove(sequence: Sequence): void {
    const index = this.running.indexOf(sequence)
    if (index >= 0) this.running.splice(index, 1)
    else this.waiting.remove(sequence)
    this.#releaseBlocks(sequence)
    sequence.status = 'finished'
  }

  /** How many leading tokens of a prompt the cache holds now. */
  lookup(tokens: readonly number[], cacheSalt: string | null): number {
    if (!this.#options.enablePrefixCaching) return 0
    const {blockSize} = this.#options
    const hashes: string[] = []
    this.#extendHashes(hashes, tokens, cacheSalt)
    return this.pool.findPrefix(hashes, Math.floor((tokens.length - 1) / blockSize)).length * blockSize
  }

  /**
   * Puts KV from elsewhere into the prefix cache, for blocks `first` to `last` − 1 of a prompt.
   *
   * @param write fills the blocks, by id
   * @returns false when there is no room for all of it; then nothing has changed
   */
  adopt(
    tokens: readonly number[],
    [first, last]: readonly [first: number, last: number],
    write: (blockIds: readonly number[]) => void,
  ): boolean {
    const hashes: string[] = []
    this.#extendHashes(hashes, tokens, null)
    const ids = last - first > this.pool.freeBlocks ? null : this.pool.allocate(last - first)
    if (ids === null) return false
    write(ids)
    ids.forEach((id, index) => this.pool.publish(id, hashes[first + index]!))
    // The tail first, so that it is evicted first.
    this.pool.release(ids.toReversed())
    return true
  }

  /** Blocks were moved to other ids; every table that names one is rewritten. */
  relocate(moves: readonly {readonly from: number; readonly to: number}[]): void {
    const target = new Map(moves.map(({from, to}) => [from, to]))
    for (const {from, to} of moves) this.pool.relocate(from, to)
    for (const {blocks} of this.running) {
      for (let index = 0; index < blocks.length; index++) {
        const to = target.get(blocks[index]!)
        if (to !== undefined) blocks[index] = to
      }
    }
  }

  /** The limit fell: first what is only cached goes, then the last in line until the rest fits. */
  #shed(plan: Plan): void {
    this.pool.evict(Math.max(0, this.#source.over()))
    while (this.#source.over() > 0 && this.running.length > 0) {
      this.#preempt(this.#victim(), plan)
      this.pool.evict(Math.max(0, this.#source.over()))
    }
  }

  #scheduleRunning(plan: Plan): void {
    for (let index = 0; index < this.running.length && plan.budget > 0; index++) {
      const sequence = this.running[index]!
      const computable = this.#options.maxModelLen - 1 - sequence.computedTokens
      const wanted = this.#capped(sequence.tokens.length - sequence.computedTokens)
      const newTokens = Math.min(wanted, plan.budget, computable)
      if (newTokens <= 0) continue
      while (!this.#allocateSlots(sequence, newTokens, [])) {
        const victim = this.#victim()
        if (this.#preempt(victim, plan)) index--
        if (victim === sequence) return
      }
      plan.add(sequence, newTokens)
    }
  }

  #scheduleWaiting(plan: Plan, onlyPreempted: boolean): void {
    while (plan.budget > 0 && this.running.length < this.#options.maxNumSeqs) {
      const sequence = this.waiting.head()
      if (sequence === null || (onlyPreempted && sequence.status !== 'preempted')) return
      const hits = this.#cachedPrefix(sequence)
      const hitTokens = hits.length * this.#options.blockSize
      let newTokens = this.#capped(sequence.tokens.length - hitTokens)
      if (!this.#options.enableChunkedPrefill && newTokens > plan.budget) return
      newTokens = Math.min(newTokens, plan.budget)
      if (!this.#fits(sequence, hits) || !this.#allocateSlots(sequence, newTokens, hits)) return
      this.waiting.shift()
      this.running.push(sequence)
      sequence.status = 'running'
      sequence.computedTokens = hitTokens
      if (sequence.cachedTokens === null) {
        sequence.cachedTokens = hitTokens
        plan.admitted.push(sequence)
      }
      plan.add(sequence, newTokens)
    }
  }

  #capped(tokens: number): number {
    const threshold = this.#options.longPrefillTokenThreshold
    return threshold > 0 ? Math.min(tokens, threshold) : tokens
  }

  /** @returns the cached blocks at the head of a sequence; at least one token is left to compute */
  #cachedPrefix(sequence: Sequence): number[] {
    if (!this.#options.enablePrefixCaching) return []
    const {tokens, hashes, request} = sequence
    this.#extendHashes(hashes, tokens, request.cacheSalt)
    const hits = this.pool.findPrefix(hashes, Math.floor((tokens.length - 1) / this.#options.blockSize))
    if (sequence.preemptions === 0) {
      this.#prefixQueries += tokens.length
      this.#prefixHits += hits.length * this.#options.blockSize
    }
    return hits
  }

  #fits(sequence: Sequence, hits: readonly number[]): boolean {
    const length = Math.ceil(sequence.tokens.length / this.#options.blockSize)
    // Under a lowered limit a sequence may be longer than the whole pool: it waits, where starting it would never end.
    if (length > this.pool.capacity) return false
    if (!this.#options.reserveFullPrompt) return true
    return length - hits.length <= this.pool.freeBlocks - this.pool.countUnreferenced(hits)
  }

  /**
   * Room for `newTokens` more. Blocks that become full by them are published here, before they are computed, so that a
   * later sequence of the same step shares them.
   */
  #allocateSlots(sequence: Sequence, newTokens: number, hits: readonly number[]): boolean {
    const {blockSize} = this.#options
    const {blocks} = sequence
    const reached = sequence.computedTokens + hits.length * blockSize + newTokens
    const needed = Math.max(0, Math.ceil(reached / blockSize) - blocks.length - hits.length)
    if (needed > 0 && needed > this.pool.freeBlocks - this.pool.countUnreferenced(hits)) return false
    this.pool.touch(hits)
    const fresh = needed === 0 ? [] : this.pool.allocate(needed)
    if (fresh === null) {
      this.pool.release([...hits].reverse())
      return false
    }
    for (const id of hits) blocks.push(id)
    for (const id of fresh) blocks.push(id)
    this.#publishFull(sequence, Math.floor(reached / blockSize), hits.length)
    return true
  }

  #publishFull(sequence: Sequence, fullBlocks: number, hitBlocks: number): void {
    if (!this.#options.enablePrefixCaching) return
    sequence.publishedBlocks = Math.max(sequence.publishedBlocks, hitBlocks)
    if (fullBlocks <= sequence.publishedBlocks) return
    this.#extendHashes(sequence.hashes, sequence.tokens, sequence.request.cacheSalt)
    for (let index = sequence.publishedBlocks; index < fullBlocks; index++) {
      this.pool.publish(sequence.blocks[index]!, sequence.hashes[index]!)
    }
    sequence.publishedBlocks = fullBlocks
  }

  #extendHashes(hashes: string[], tokens: readonly number[], cacheSalt: string | null): void {
    const {blockSize} = this.#options
    for (let index = hashes.length; (index + 1) * blockSize <= tokens.length; index++) {
      const parent = hashes[index - 1] ?? this.#chainStart
      const extra = index === 0 && cacheSalt !== null ? [cacheSalt] : null
      hashes.push(blockHash(parent, tokens, index * blockSize, (index + 1) * blockSize, extra))
    }
  }

  #victim(): Sequence {
    if (this.#options.policy === 'fcfs') return this.running.at(-1)!
    return this.running.reduce((worst, other) => (comparePriority(other, worst) > 0 ? other : worst))
  }

  /** @returns true when the victim was already scheduled in this step, and so stood before the one being scheduled */
  #preempt(victim: Sequence, plan: Plan): boolean {
    this.running.splice(this.running.indexOf(victim), 1)
    const wasScheduled = plan.withdraw(victim)
    this.#releaseBlocks(victim)
    victim.status = 'preempted'
    victim.preemptions++
    this.#preemptions++
    this.waiting.addPreempted(victim)
    plan.preempted.push(victim)
    return wasScheduled
  }

  #releaseBlocks(sequence: Sequence): void {
    this.pool.release(sequence.blocks.reverse())
    sequence.blocks.length = 0
    sequence.computedTokens = 0
    sequence.publishedBlocks = 0
  }
}

/** The step being put together. */
class Plan {
  budget: number
  readonly work = new Map<Sequence, ScheduledWork>()
  readonly preempted: Sequence[] = []
  readonly admitted: Sequence[] = []

  constructor(budget: number) {
    this.budget = budget
  }

  add(sequence: Sequence, newTokens: number): void {
    const {computedTokens, tokens} = sequence
    const samples = computedTokens + newTokens === tokens.length
    this.work.set(sequence, {sequence, computedTokens, newTokens, samples})
    this.budget -= newTokens
  }

  withdraw(sequence: Sequence): boolean {
    const work = this.work.get(sequence)
    if (!work) return false
    this.work.delete(sequence)
    this.budget += work.newTokens
    return true
  }
}
