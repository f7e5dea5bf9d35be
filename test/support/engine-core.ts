import {EngineCore, type EngineCoreOptions, type EngineEvent} from '../../src/lib/engine/core/engine-core.js'
import type {GenerationRequest} from '../../src/lib/engine/core/generation.js'
import {plainBlockSource} from '../../src/lib/engine/core/plain-block-source.js'
import type {ScheduledWork} from '../../src/lib/engine/core/ports.js'

export const coreDefaults: EngineCoreOptions = {
  blockSize: 16,
  maxModelLen: 96,
  maxNumSeqs: 8,
  maxNumBatchedTokens: 64,
  longPrefillTokenThreshold: 0,
  enableChunkedPrefill: true,
  enablePrefixCaching: true,
  policy: 'fcfs',
  reserveFullPrompt: true,
  hashSeed: '0',
  maxCachedBlocks: null,
  eosTokenId: null,
}

export function generation(
  id: string,
  promptTokens: readonly number[],
  maxTokens: number,
  more: Partial<GenerationRequest> = {},
): GenerationRequest {
  return {
    id,
    promptTokens,
    maxTokens,
    minTokens: 0,
    ignoreEos: true,
    stopTokenIds: [],
    seed: null,
    startGuide: null,
    priority: 0,
    cacheSalt: null,
    ...more,
  }
}

/** Integers from `from` up to, not including, `to`. */
export function range(from: number, to: number): number[] {
  return Array.from({length: to - from}, (_, index) => from + index)
}

/** What one step scheduled, as the traces write it. */
export interface TracedStep {
  readonly scheduled: string
  readonly tables: Readonly<Record<string, number[]>>
  readonly usage: number
  readonly events: readonly EngineEvent[]
}

/** A core over a plain pool whose model says 10000, 10001, … so that no two answers share a block. */
export class TracedCore {
  readonly core: EngineCore
  #batch: readonly ScheduledWork[] = []
  #nextToken = 10_000
  #nowNs = 0

  constructor(numBlocks: number, options: Partial<EngineCoreOptions>) {
    const run = (batch: readonly ScheduledWork[]): number[] => {
      this.#batch = batch
      return batch.map(work => (work.samples ? this.#nextToken++ : -1))
    }
    const timer = {stepNs: () => 1e6, ingressNs: 0}
    this.core = new EngineCore(plainBlockSource(numBlocks), {run}, timer, {...coreDefaults, ...options})
  }

  add(...requests: GenerationRequest[]): void {
    for (const request of requests) this.core.add(request, this.#nowNs)
  }

  /** Completes the step under way and schedules the next. */
  step(): TracedStep {
    this.#batch = []
    const {events, nextDeadlineNs} = this.core.step(this.#nowNs)
    if (nextDeadlineNs !== Infinity) this.#nowNs = nextDeadlineNs
    return {
      scheduled: this.#batch.map(({sequence, newTokens}) => `${sequence.id}:${newTokens}`).join(' '),
      tables: Object.fromEntries(this.#batch.map(({sequence}) => [sequence.id, [...sequence.blocks]])),
      usage: Math.round(this.core.scheduler.pool.usage * 1000) / 1000,
      events,
    }
  }

  freeQueue(): string {
    return this.core.scheduler.pool.freeOrder().join(' ')
  }
}

export function eventIds(events: readonly EngineEvent[], type: EngineEvent['type']): string[] {
  return events.flatMap(event => (event.type === type && 'id' in event ? [event.id] : []))
}
