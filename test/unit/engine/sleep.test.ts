import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as delay} from 'node:timers/promises'
import {expect} from 'chai'
import {silentLogger, systemClock} from '../../../src/lib/foundation/index.js'
import {
  createEngine,
  defaultEngineOptions,
  type Engine,
  type EngineOptions,
  type GenerationEnd,
} from '../../../src/lib/engine/index.js'
import {SleepState} from '../../../src/lib/engine/core/sleep-state.js'
import type {SegmentStore} from '../../../src/lib/segments/index.js'
import {generation, range} from '../../support/engine-core.js'
import {segmentStoreIn} from '../../support/segments.js'

describe('the sleep state of an engine', () => {
  it('names what sleeps by level, and shows awake from the first wake-up on', () => {
    const state = new SleepState()
    expect([state.isSleeping, state.isPaused, state.series]).to.deep.equal([false, false, 'awake'])
    state.fallAsleep(1)
    expect([state.isSleeping, state.isPaused, state.series]).to.deep.equal([true, true, 'weights_offloaded'])
    state.wake(['weights'])
    expect([state.isSleeping, state.isPaused, state.series]).to.deep.equal([true, false, 'awake'])
    state.wake(['kv_cache'])
    expect(state.isSleeping).to.equal(false)
    state.fallAsleep(2)
    expect(state.series).to.equal('discard_all')
  })

  it('does nothing at all for a call that names one thing that is awake', () => {
    const state = new SleepState()
    expect(state.canWake(null)).to.equal(false)
    state.fallAsleep(1)
    state.wake(['weights'])
    expect(state.canWake(['weights', 'kv_cache'])).to.equal(false)
    state.wake(['weights', 'kv_cache'])
    expect(state.isAsleep('kv_cache')).to.equal(true)
    expect(state.canWake(null)).to.equal(true)
  })

  it('puts only scheduling to sleep at level 0', () => {
    const state = new SleepState()
    state.fallAsleep(0)
    expect([state.isSleeping, state.isAsleep('weights'), state.series]).to.deep.equal([true, false, 'awake'])
    state.wake(['scheduling'])
    expect(state.isSleeping).to.equal(false)
  })
})

describe('an engine that sleeps', () => {
  const kv = {rowBytes: 512, pageBytes: 32_768}
  const bundleBytes = 2 * kv.pageBytes
  let folder: string
  let store: SegmentStore
  let engine: Engine

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kvctl-sleep-'))
    store = segmentStoreIn(folder)
    const vocabulary = {size: 500, eosTokenId: 1, sampleable: Uint32Array.from(range(100, 500))}
    const options: EngineOptions = {
      ...defaultEngineOptions(vocabulary, systemClock, silentLogger),
      kv,
      blockSize: 4,
      numBlocks: 1024,
      maxModelLen: 1024,
      minReservedPages: 2,
      maxReservedPages: 4,
      verifyKv: true,
      segment: {store, name: 'sleeper'},
      timing: {mode: 'constant', ttftMs: 1, itlMs: 1, prefillMsPerToken: 0},
    }
    engine = await createEngine(options)
  })
  afterEach(async () => {
    await engine.close()
    rmSync(folder, {recursive: true})
  })

  interface Asked {
    readonly tokens: readonly number[]
    readonly answer: Promise<{tokens: readonly number[]; end: GenerationEnd}>
  }
  const ask = (id: string, start: number, maxTokens: number): Asked => {
    const tokens: number[] = []
    const answer = new Promise<{tokens: readonly number[]; end: GenerationEnd}>(resolve => {
      engine.submit(generation(id, range(start, start + 100), maxTokens), {
        tokens: ids => void tokens.push(...ids),
        end: end => resolve({tokens, end}),
      })
    })
    return {tokens, answer}
  }
  const until = async (isTrue: () => boolean): Promise<void> => {
    while (!isTrue()) await delay(2)
  }

  for (const level of [1, 2] as const) {
    it(`gives every page back at level ${level}, and says so in its segment`, async () => {
      await ask('r', 0, 20).answer
      expect(engine.state().memory.residentBytes).to.be.above(0)
      expect(engine.lookup(range(0, 100), null)).to.be.above(0)
      await engine.sleep(level, 'abort')
      expect(engine.state().memory.residentBytes).to.equal(0)
      expect(engine.lookup(range(0, 100), null)).to.equal(0)
      expect(engine.stats()).to.include({isSleeping: true, isPaused: true, kvCacheUsage: 0})
      await delay(150)
      const {usedBytes, preallocBytes} = (await store.read('sleeper')).record
      expect([usedBytes, preallocBytes]).to.deep.equal([0n, 0n])
      expect(engine.state().memory.residentBytes).to.equal(0)
      engine.wakeUp(null)
      expect(engine.stats().isSleeping).to.equal(false)
      expect(engine.state().memory.residentBytes).to.be.at.least(bundleBytes)
      await until(() => engine.state().memory.preallocatedBytes === 2 * bundleBytes)
    })
  }

  it('lets requests wait that arrive meanwhile, and answers them as if it had never slept', async () => {
    const before = await ask('before', 7, 30).answer
    await engine.sleep(1, 'abort')
    const meanwhile = ask('meanwhile', 7, 30)
    await delay(30)
    expect(meanwhile.tokens).to.deep.equal([])
    expect(engine.stats()).to.include({waiting: 1, running: 0})
    engine.wakeUp(null)
    expect((await meanwhile.answer).tokens).to.deep.equal(before.tokens)
  })

  it('keeps running requests, which lose their pages but not a token', async () => {
    const alone = [(await ask('a', 0, 200).answer).tokens, (await ask('b', 300, 200).answer).tokens]
    const asked = [ask('a', 0, 200), ask('b', 300, 200)]
    for (const [seen, level] of [
      [20, 1],
      [80, 0],
      [140, 2],
    ] as const) {
      await until(() => asked.every(({tokens}) => tokens.length >= seen))
      await engine.sleep(level, 'keep')
      const {length} = asked[0]!.tokens
      // At level 0 a step that was under way still ends.
      await delay(20)
      expect(asked[0]!.tokens.length).to.be.within(length, length + (level === 0 ? 1 : 0))
      if (level > 0) expect(engine.state().memory.residentBytes).to.equal(0)
      engine.wakeUp(null)
    }
    const ends = await Promise.all(asked.map(({answer}) => answer))
    expect(ends.map(({tokens}) => tokens)).to.deep.equal(alone)
    expect(ends.map(({end}) => end.reason)).to.deep.equal(['length', 'length'])
  })

  it('waits for running requests when asked to, and for none that came later', async () => {
    const running = ask('running', 0, 60)
    await until(() => running.tokens.length > 2)
    const sleeping = engine.sleep(1, 'wait')
    const late = ask('late', 300, 5)
    await sleeping
    expect(running.tokens).to.have.length(60)
    expect(late.tokens).to.deep.equal([])
    engine.wakeUp(null)
    expect((await late.answer).tokens).to.have.length(5)
  })

  it('goes on when it is woken while it still waits for running requests', async () => {
    const running = ask('running', 0, 300)
    await until(() => running.tokens.length > 2)
    const sleeping = engine.sleep(2, 'wait')
    const late = ask('late', 300, 5)
    engine.wakeUp(null)
    await sleeping
    expect(engine.stats().isSleeping).to.equal(false)
    await Promise.all([running.answer, late.answer])
  })

  it('ends running requests with abort unless told otherwise', async () => {
    const running = ask('running', 0, 500)
    await until(() => running.tokens.length > 2)
    await engine.sleep(1, 'abort')
    expect((await running.answer).end.reason).to.equal('abort')
  })

  it('runs nothing while anything sleeps, and wakes part by part', async () => {
    await engine.sleep(1, 'abort')
    const asked = ask('r', 0, 3)
    engine.wakeUp(['weights'])
    expect(engine.state().memory.residentBytes).to.equal(0)
    await delay(20)
    expect(asked.tokens).to.deep.equal([])
    engine.wakeUp(['weights'])
    expect(engine.stats().isSleeping).to.equal(true)
    engine.wakeUp(['kv_cache'])
    expect(engine.stats().isSleeping).to.equal(false)
    await asked.answer
  })

  it('sleeps once, however often it is told to', async () => {
    await Promise.all([engine.sleep(1, 'keep'), engine.sleep(2, 'keep')])
    expect(engine.stats().sleepState).to.equal('weights_offloaded')
    await engine.sleep(2, 'keep')
    expect(engine.stats().sleepState).to.equal('weights_offloaded')
    engine.wakeUp(null)
    engine.wakeUp(null)
    await ask('r', 0, 3).answer
  })

  it('obeys a limit that was set while it slept', async () => {
    await engine.sleep(1, 'abort')
    await store.writeLimit('sleeper', BigInt(8 * bundleBytes))
    await until(() => engine.state().memory.limitBytes === 8 * bundleBytes)
    engine.wakeUp(null)
    const asked = range(0, 8).map(index => ask(`r${index}`, 100 * index, 100))
    let most = 0
    const watch = setInterval(() => (most = Math.max(most, engine.state().memory.residentBytes)), 1)
    await Promise.all(asked.map(({answer}) => answer))
    clearInterval(watch)
    expect(most).to.be.within(2 * bundleBytes, 8 * bundleBytes)
    expect(engine.state().pool.capacityBlocks).to.equal(8 * 16 - 1)
  })

  it('tells whoever waits for it to sleep when it is closed first', async () => {
    const running = ask('running', 0, 800)
    await until(() => running.tokens.length > 2)
    const sleeping = engine.sleep(1, 'wait').catch((error: unknown) => error)
    await engine.close()
    expect(await sleeping).to.have.property('code', 'ENGINE_CLOSED')
  })
})
