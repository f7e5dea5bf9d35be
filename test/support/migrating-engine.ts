import {
  createEngine,
  defaultEngineOptions,
  type Engine,
  type EngineOptions,
  type GenerationRequest,
} from '../../src/lib/engine/index.js'
import {silentLogger, systemClock} from '../../src/lib/foundation/index.js'
import type {PageReserve} from '../../src/lib/memory/index.js'
import {range} from './engine-core.js'
import {segmentStoreIn} from './segments.js'

/** Blocks of 4 tokens, 16 of them on a page in each buffer. */
const KV = {rowBytes: 64, pageBytes: 4096}
export const MIGRATING_BUNDLE_BYTES = 2 * KV.pageBytes
/** The limit changes every 100 ms on average, and stays low for longer than the engine's 100 ms between two looks at it. */
const [LOW_MS, HIGH_MS] = [130, 70]
const [LOW_PAGES, HIGH_PAGES] = [24, 128]

/** An engine on the machine's own clock, whose limit falls and rises every 100 ms if it shall. */
export interface MigratingEngine {
  /** What every request says, all of them asked at once. */
  ask(requests: readonly GenerationRequest[]): Promise<number[][]>
  /** Blocks that were moved, and requests that were stopped. */
  unrest(): number
  close(): Promise<void>
}

/** @param folder for its segment, empty */
export async function startMigratingEngine(
  folder: string,
  reserve: PageReserve,
  oscillates: boolean,
  options: Partial<EngineOptions> = {},
): Promise<MigratingEngine> {
  const store = segmentStoreIn(folder)
  const vocabulary = {size: 500, eosTokenId: 1, sampleable: Uint32Array.from(range(100, 500))}
  const engine: Engine = await createEngine({
    ...defaultEngineOptions(vocabulary, systemClock, silentLogger),
    kv: KV,
    blockSize: 4,
    numBlocks: HIGH_PAGES * 16,
    maxModelLen: 512,
    maxNumSeqs: 64,
    verifyKv: true,
    reserve,
    segment: {store, name: 'migrating'},
    timing: {mode: 'constant', ttftMs: 5, itlMs: 5, prefillMsPerToken: 0},
    ...options,
  })
  let isLow = false
  let timer: NodeJS.Timeout | undefined
  const swing = (): void => {
    isLow = !isLow
    void store.writeLimit('migrating', BigInt((isLow ? LOW_PAGES : HIGH_PAGES) * MIGRATING_BUNDLE_BYTES))
    timer = setTimeout(swing, isLow ? LOW_MS : HIGH_MS)
  }
  if (oscillates) swing()
  const answer = async (request: GenerationRequest): Promise<number[]> =>
    new Promise(resolve => {
      const said: number[] = []
      engine.submit(request, {tokens: ids => void said.push(...ids), end: () => resolve(said)})
    })
  return {
    ask: async requests => Promise.all(requests.map(answer)),
    unrest: () => engine.state().memory.movedBlocks + engine.stats().preemptions,
    async close() {
      clearTimeout(timer)
      await engine.close()
    },
  }
}
