import type {EmbeddedWorker} from '../../src/lib/tiers/embedded-worker.js'
import {bytesOf, openSmallWorker, slotsUpTo, wipe, type SmallWorkerOptions} from './cache-worker.js'

/** A small worker over one tier below its hot cache, as the tests of tiers drive it; closed after each test. */
export interface TierRig {
  readonly worker: EmbeddedWorker
  /** What the worker of now has warned of. */
  readonly warnings: readonly string[]
  /** Opens a worker, over what a former one left. */
  readonly open: (options: SmallWorkerOptions) => Promise<void>
  /** Stores the first tokens and waits until they are written. @returns their bytes */
  readonly store: (count: number) => Promise<string>
  /** Gets the first tokens back from the tier alone. @returns how many */
  readonly retrieve: (count: number) => Promise<number>
  /** Bytes of the first tokens as a chunk has them. */
  readonly bytesAt: (count: number) => Buffer
}

/** To be called in the body of a suite. */
export function tierRig(): TierRig {
  const warnings: string[] = []
  let worker: EmbeddedWorker
  afterEach(async () => worker.close())
  return {
    get worker() {
      return worker
    },
    warnings,
    async open(options) {
      warnings.length = 0
      const logger = {debug() {}, info() {}, error() {}, warn: (text: string) => void warnings.push(text)}
      worker = await openSmallWorker({...options, logger})
    },
    async store(count) {
      worker.storeTokens(slotsUpTo(count), slotsUpTo(count), 'r')
      await worker.store.settle()
      return bytesOf(worker, slotsUpTo(count))
    },
    async retrieve(count) {
      await worker.clear(['LocalCPUBackend'])
      wipe(worker, count)
      return worker.retrieveTokens(slotsUpTo(count), slotsUpTo(count), 'r')
    },
    bytesAt(count) {
      const bytes = Buffer.alloc(count * 64)
      worker.kv.gather(slotsUpTo(count), bytes)
      return bytes
    },
  }
}
