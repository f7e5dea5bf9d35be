import {expect} from 'chai'
import {EngineCore} from '../../../src/lib/engine/core/engine-core.js'
import {EmbeddedEngine} from '../../../src/lib/engine/embedded-engine.js'
import {defaultEngineOptions, type GenerationEnd} from '../../../src/lib/engine/index.js'
import {KvMemory} from '../../../src/lib/engine/kv-memory.js'
import {UsagePublisher} from '../../../src/lib/elastic/index.js'
import {silentLogger, systemClock} from '../../../src/lib/foundation/index.js'
import {generation} from '../../support/engine-core.js'
import {rigBlockSize, rigKv} from '../../support/engine-rig.js'

const vocabulary = {size: 500, eosTokenId: 1, sampleable: Uint32Array.of(100)}

describe('an engine whose model fails', () => {
  it('tells every request why, and takes no more', async () => {
    const said: string[] = []
    const logger = {...silentLogger, error: (message: string) => void said.push(message)}
    const options = {
      ...defaultEngineOptions(vocabulary, systemClock, logger),
      numBlocks: 512,
      maxModelLen: 100,
    }
    const publisher = new UsagePublisher(
      null,
      () => undefined,
      () => undefined,
    )
    const memory = new KvMemory(publisher, {...options, kv: rigKv, blockSize: rigBlockSize})
    const run = (): never => {
      throw new Error('a row is not on a mapped page')
    }
    const timer = {stepNs: () => 0, ingressNs: 0}
    const core = new EngineCore(memory.source, {run}, timer, {
      ...options,
      eosTokenId: null,
      blockSize: rigBlockSize,
    })
    const engine = new EmbeddedEngine({core, memory, publisher}, options)
    const ends = await Promise.all(
      ['a', 'b'].map(
        id =>
          new Promise<GenerationEnd>(end =>
            engine.submit(generation(id, [1, 2], 5), {tokens: () => undefined, end}),
          ),
      ),
    )
    for (const end of ends) {
      expect(end).to.deep.include({reason: 'error', message: 'a row is not on a mapped page'})
    }
    expect(said).to.deep.equal(['the engine stopped: a row is not on a mapped page'])
    expect(() =>
      engine.submit(generation('c', [1], 1), {tokens: () => undefined, end: () => undefined}),
    ).to.throw('the engine is failed and takes no more requests')
    await engine.close()
    expect(memory.reservation.residentBytes()).to.equal(0)
  })
})

describe('what a request waits before it reaches the scheduler', () => {
  it('delays its start, in order of arrival', () => {
    const publisher = new UsagePublisher(
      null,
      () => undefined,
      () => undefined,
    )
    const options = {
      ...defaultEngineOptions(vocabulary, systemClock, silentLogger),
      numBlocks: 512,
      maxModelLen: 100,
    }
    const memory = new KvMemory(publisher, {...options, kv: rigKv, blockSize: rigBlockSize})
    const timer = {stepNs: () => 1e6, ingressNs: 10e6}
    const run = (batch: readonly unknown[]): number[] => batch.map(() => 100)
    const core = new EngineCore(memory.source, {run}, timer, {
      ...options,
      eosTokenId: null,
      blockSize: rigBlockSize,
    })
    core.add(generation('a', [1, 2], 1), 0)
    core.add(generation('b', [1, 2], 1), 4e6)
    expect(core.waitingCount).to.equal(2)
    expect(core.step(4e6)).to.deep.equal({events: [], nextDeadlineNs: 10e6})
    expect(core.step(10e6).nextDeadlineNs).to.equal(11e6)
    expect(core.step(11e6).nextDeadlineNs).to.equal(14e6)
    expect(core.step(14e6).nextDeadlineNs).to.equal(15e6)
    expect(core.step(15e6).nextDeadlineNs).to.equal(Infinity)
    memory.reservation.release()
  })
})
