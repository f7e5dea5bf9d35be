import {EngineCore, type EngineCoreOptions} from '../../src/lib/engine/core/engine-core.js'
import type {GenerationRequest} from '../../src/lib/engine/core/generation.js'
import type {BlockSource} from '../../src/lib/engine/core/ports.js'
import {KvMemory} from '../../src/lib/engine/kv-memory.js'
import {reserveHostMemory, type PageReserve} from '../../src/lib/memory/index.js'
import {tidyMemory} from '../../src/lib/engine/tidy-memory.js'
import {ToyModel} from '../../src/lib/engine/toy-model.js'
import {coreDefaults} from './engine-core.js'

export interface RigOptions extends Partial<EngineCoreOptions> {
  readonly numBlocks: number
  readonly verifyKv?: boolean
  /** Memory of this machine unless given. */
  readonly reserve?: PageReserve
  /** Wraps the source of blocks, to break it. */
  readonly sourceOf?: (source: BlockSource) => BlockSource
}

/** 16 blocks of 4 tokens on a page of 4 KiB in each buffer, so that small pools have many pages. */
export const rigKv = {rowBytes: 64, pageBytes: 4096}
export const rigBlockSize = 4
export const rigPageBundleBytes = 2 * rigKv.pageBytes

const MAX_STEPS = 20_000

const vocabulary = {
  size: 500,
  eosTokenId: 1,
  sampleable: Uint32Array.from({length: 400}, (_, index) => 100 + index),
}

/** The engine's core, model and real memory on a clock that jumps from step to step, with a limit that a test sets. */
export class EngineRig {
  readonly core: EngineCore
  readonly memory: KvMemory
  limitBytes: number | null = null
  readonly answers = new Map<string, number[]>()
  readonly ends = new Map<string, string>()
  readonly isByPriority: boolean
  steps = 0
  #nowNs = 0

  constructor(options: RigOptions) {
    this.isByPriority = options.policy === 'priority'
    const usage = {limitBytes: () => this.limitBytes, publish: () => undefined}
    const pool = {numBlocks: options.numBlocks, minReservedPages: 1, maxReservedPages: 2}
    const reserve = options.reserve ?? (pages => reserveHostMemory({...pages, name: 'kvctl-test'}))
    this.memory = new KvMemory(usage, {
      kv: rigKv,
      blockSize: rigBlockSize,
      memoryUtilization: 1,
      reserve,
      ...pool,
    })
    const model = new ToyModel(this.memory, {
      vocabulary,
      meanAnswerTokens: 50,
      verifyKv: options.verifyKv ?? false,
    })
    const source = options.sourceOf?.(this.memory.source) ?? this.memory.source
    const timer = {stepNs: () => 1e6, ingressNs: 0}
    this.core = new EngineCore(source, model, timer, {
      ...coreDefaults,
      eosTokenId: vocabulary.eosTokenId,
      ...options,
      blockSize: rigBlockSize,
    })
  }

  add(request: GenerationRequest): void {
    this.answers.set(request.id, [])
    this.core.add(request, this.#nowNs)
  }

  /** One step and all the housekeeping after it. @returns false when nothing is left to do */
  step(): boolean {
    const {events, nextDeadlineNs} = this.core.step(this.#nowNs)
    for (const event of events) {
      if (event.type === 'token') this.answers.get(event.id)!.push(event.token)
      if (event.type === 'finished') this.ends.set(event.id, event.end.reason)
    }
    const {didAnything} = tidyMemory(this.core, this.memory, () => true)
    this.steps++
    if (nextDeadlineNs !== Infinity) this.#nowNs = nextDeadlineNs
    return nextDeadlineNs !== Infinity || (didAnything && this.core.waitingCount > 0)
  }

  /** Runs until nothing moves. @param between called before every step, with its number */
  run(between: (step: number) => void = () => undefined): Map<string, number[]> {
    for (const last = this.steps + MAX_STEPS; ;) {
      if (this.steps === last) throw new Error(`still running after ${MAX_STEPS} steps`)
      between(this.steps)
      if (!this.step()) return this.answers
    }
  }

  close(): void {
    this.memory.reservation.release()
  }
}

/** What each request says when it has an engine to itself and nothing is cached. */
export function answersAlone(
  requests: readonly GenerationRequest[],
  maxModelLen: number,
): Map<string, number[]> {
  const answers = new Map<string, number[]>()
  const rig = new EngineRig({
    numBlocks: Math.ceil(maxModelLen / rigBlockSize) + 17,
    maxModelLen,
    maxNumBatchedTokens: maxModelLen,
    enablePrefixCaching: false,
    verifyKv: true,
  })
  for (const request of requests) {
    rig.add({...request, priority: 0})
    rig.run()
    answers.set(request.id, rig.answers.get(request.id)!)
  }
  rig.close()
  return answers
}
