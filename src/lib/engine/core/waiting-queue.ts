import type {Sequence} from './sequence.js'

export type SchedulingPolicy = 'fcfs' | 'priority'

/**
 * Which of two is served sooner: smaller priority, then earlier arrival. Negative when it is `a`.
 *
 * @see vllm-project/vllm:vllm/v1/request.py — the order of its priority queue
 */
export function comparePriority(a: Sequence, b: Sequence): number {
  return a.request.priority - b.request.priority || a.arrival - b.arrival
}

/** Sequences that wait for admission; its head is next, and nobody overtakes it. */
export class WaitingQueue {
  readonly #policy: SchedulingPolicy
  readonly #items: Sequence[] = []

  constructor(policy: SchedulingPolicy) {
    this.#policy = policy
  }

  get length(): number {
    return this.#items.length
  }

  head(): Sequence | null {
    return this.#items[0] ?? null
  }

  shift(): void {
    this.#items.shift()
  }

  add(sequence: Sequence): void {
    if (this.#policy === 'fcfs') this.#items.push(sequence)
    else this.#insert(sequence)
  }

  /** Preempted: first in line under fcfs, by priority otherwise. */
  addPreempted(sequence: Sequence): void {
    if (this.#policy === 'fcfs') this.#items.unshift(sequence)
    else this.#insert(sequence)
  }

  /** @returns false when it does not wait here */
  remove(sequence: Sequence): boolean {
    const index = this.#items.indexOf(sequence)
    if (index >= 0) this.#items.splice(index, 1)
    return index >= 0
  }

  [Symbol.iterator](): Iterator<Sequence> {
    return this.#items[Symbol.iterator]()
  }

  #insert(sequence: Sequence): void {
    let [low, high] = [0, this.#items.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (comparePriority(this.#items[middle]!, sequence) < 0) low = middle + 1
      else high = middle
    }
    this.#items.splice(low, 0, sequence)
  }
}
