import {join} from 'node:path'
import {expect} from 'chai'
import {silentLogger, systemClock} from '../../../src/lib/foundation/index.js'
import {createEngine, defaultEngineOptions, type Engine} from '../../../src/lib/engine/index.js'
import {
  openCudaDriver,
  reserveCudaMemory,
  reserveHostMemory,
  type PageReserve,
} from '../../../src/lib/memory/index.js'
import {createMemoryStore, createSegmentStore} from '../../../src/lib/segments/index.js'
import {libc} from '../../../src/native/libc.js'
import {cudaStandIn} from '../../support/cuda/stand-in.js'
import {generation, range} from '../../support/engine-core.js'
import {describeWith} from '../../support/requires.js'
import {temporaryFolder} from '../../support/temporary.js'

const STREAMS = 64
const ANSWER_TOKENS = 60
const KV = {rowBytes: 64, pageBytes: 4096}
const BUNDLE_BYTES = 2 * KV.pageBytes
/** The limit changes every 100 ms on average, and stays low for longer than the engine's 100 ms between two looks at it. */
const [LOW_MS, HIGH_MS] = [130, 70]
/** Pages that move, and requests that are stopped, before the answers count as restless. */
const ENOUGH = 50
const MOST_ROUNDS = 20
const [LOW_PAGES, HIGH_PAGES] = [24, 128]

/**
 * What 64 requests say at once, on pages of `reserve`; while a limit moves them about, again and again until enough of that
 * has happened. The answers of every round.
 */
async function answers(folder: string, reserve: PageReserve, oscillates: boolean) {
  const store = createSegmentStore({
    directory: folder,
    libc,
    clock: systemClock,
    logger: silentLogger,
    memories: createMemoryStore(join(folder, 'state'), silentLogger),
    readPatienceMs: 1000,
    lockTimeoutMs: 1000,
  })
  const vocabulary = {size: 500, eosTokenId: 1, sampleable: Uint32Array.from(range(100, 500))}
  const engine: Engine = await createEngine({
    ...defaultEngineOptions(vocabulary, systemClock, silentLogger),
    kv: KV,
    blockSize: 4,
    numBlocks: HIGH_PAGES * 16,
    maxModelLen: 512,
    maxNumSeqs: STREAMS,
    verifyKv: true,
    reserve,
    segment: {store, name: 'migrating'},
    timing: {mode: 'constant', ttftMs: 5, itlMs: 5, prefillMsPerToken: 0},
  })
  let isLow = false
  let timer: NodeJS.Timeout | undefined
  const swing = (): void => {
    isLow = !isLow
    void store.writeLimit('migrating', BigInt((isLow ? LOW_PAGES : HIGH_PAGES) * BUNDLE_BYTES))
    timer = setTimeout(swing, isLow ? LOW_MS : HIGH_MS)
  }
  if (oscillates) swing()
  const ask = async (): Promise<number[][]> =>
    Promise.all(
      range(0, STREAMS).map(
        index =>
          new Promise<number[]>(resolve => {
            const said: number[] = []
            engine.submit(generation(`r${index}`, range(index, index + 40 + (index % 9)), ANSWER_TOKENS), {
              tokens: ids => void said.push(...ids),
              end: () => resolve(said),
            })
          }),
      ),
    )
  const unrest = (): number => engine.state().memory.movedBlocks + engine.stats().preemptions
  try {
    const rounds = [await ask()]
    while (oscillates && unrest() <= ENOUGH && rounds.length < MOST_ROUNDS) rounds.push(await ask())
    return {rounds, unrest: unrest()}
  } finally {
    clearTimeout(timer)
    await engine.close()
  }
}

const onHost: PageReserve = pages => reserveHostMemory({...pages, name: 'kvctl-test'})

describe('64 answers whose pages migrate', function () {
  this.timeout(120_000)
  const folder = temporaryFolder()

  it('are the same while the limit falls and rises every 100 ms', async () => {
    const calm = await answers(folder(), onHost, false)
    const restless = await answers(folder(), onHost, true)
    expect(calm.unrest).to.equal(0)
    expect(restless.unrest).to.be.above(ENOUGH)
    for (const round of restless.rounds) expect(round).to.deep.equal(calm.rounds[0])
  })

  describeWith(['gcc|cc'], 'on a GPU', () => {
    afterEach(() => delete process.env['KVCTL_TEST_CUDA_FOLDER'])

    it('are the same as on the CPU, while the limit falls and rises every 100 ms', async () => {
      const driver = cudaStandIn(folder(), {granularity: BUNDLE_BYTES})
      process.env['KVCTL_TEST_CUDA_FOLDER'] = driver.env['KVCTL_TEST_CUDA_FOLDER']
      const cuda = openCudaDriver(driver.library)
      const calm = await answers(folder(), onHost, false)
      const restless = await answers(folder(), pages => reserveCudaMemory({...pages, device: 0}, cuda), true)
      expect(restless.unrest).to.be.above(ENOUGH)
      for (const round of restless.rounds) expect(round).to.deep.equal(calm.rounds[0])
      expect(driver.counters()).to.deep.include({physicalBytes: 0, handles: 0, wrongAbiCalls: 0})
    })
  })
})
