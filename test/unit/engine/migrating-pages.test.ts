import {expect} from 'chai'
import {
  openCudaDriver,
  reserveCudaMemory,
  reserveHostMemory,
  type PageReserve,
} from '../../../src/lib/memory/index.js'
import {cudaStandIn} from '../../support/cuda/stand-in.js'
import {generation, range} from '../../support/engine-core.js'
import {MIGRATING_BUNDLE_BYTES, startMigratingEngine} from '../../support/migrating-engine.js'
import {describeWith} from '../../support/requires.js'
import {temporaryFolder} from '../../support/temporary.js'

const STREAMS = 64
const ANSWER_TOKENS = 60
/** Pages that move, and requests that are stopped, before the answers count as restless. */
const ENOUGH = 50
const MOST_ROUNDS = 20

const requests = range(0, STREAMS).map(index =>
  generation(`r${index}`, range(index, index + 40 + (index % 9)), ANSWER_TOKENS),
)

/**
 * What 64 requests say at once, on pages of `reserve`; while a limit moves them about, again and again until enough of that
 * has happened. The answers of every round.
 */
async function answers(folder: string, reserve: PageReserve, oscillates: boolean) {
  const engine = await startMigratingEngine(folder, reserve, oscillates)
  try {
    const rounds = [await engine.ask(requests)]
    while (oscillates && engine.unrest() <= ENOUGH && rounds.length < MOST_ROUNDS) {
      rounds.push(await engine.ask(requests))
    }
    return {rounds, unrest: engine.unrest()}
  } finally {
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
      const driver = cudaStandIn(folder(), {granularity: MIGRATING_BUNDLE_BYTES})
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
