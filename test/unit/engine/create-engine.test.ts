import {existsSync, mkdtempSync, readdirSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as delay} from 'node:timers/promises'
import {expect} from 'chai'
import {silentLogger, systemClock, VirtualClock} from '../../../src/lib/foundation/index.js'
import {
  createEngine,
  defaultEngineOptions,
  findGpu,
  findModel,
  type Engine,
  type EngineOptions,
  type GenerationEnd,
  type GenerationRequest,
} from '../../../src/lib/engine/index.js'
import type {SegmentStore} from '../../../src/lib/segments/index.js'
import {generation, range} from '../../support/engine-core.js'
import {segmentStoreIn} from '../../support/segments.js'

const vocabulary = {
  size: 500,
  eosTokenId: 1,
  sampleable: Uint32Array.from({length: 400}, (_, index) => 100 + index),
}

/** 16 blocks of 4 tokens on a page bundle of 64 KiB. */
const kv = {rowBytes: 512, pageBytes: 32_768}
const bundleBytes = 2 * kv.pageBytes

function options(more: Partial<EngineOptions> = {}): EngineOptions {
  return {
    ...defaultEngineOptions(vocabulary, new VirtualClock(), silentLogger),
    kv,
    blockSize: 4,
    numBlocks: 1024,
    maxModelLen: 1024,
    minReservedPages: 2,
    maxReservedPages: 4,
    ...more,
  }
}

interface Answer {
  readonly tokens: number[]
  readonly end: GenerationEnd
}

function ask(
  engine: Engine,
  request: GenerationRequest,
): {answer: Promise<Answer>; abort: () => void; tokens: number[]} {
  const tokens: number[] = []
  let finish: (end: GenerationEnd) => void = () => undefined
  const answer = new Promise<Answer>(resolve => (finish = end => resolve({tokens, end})))
  const running = engine.submit(request, {
    tokens: ids => void tokens.push(...ids),
    end: end => finish(end),
  })
  return {answer, abort: () => running.abort(), tokens}
}

/** Looks again every few milliseconds; a test's own time limit ends it. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await delay(5)
}

describe('an embedded engine', () => {
  let engine: Engine | null = null
  const start = async (more: Partial<EngineOptions> = {}): Promise<Engine> =>
    (engine = await createEngine(options(more)))
  afterEach(async () => {
    await engine?.close()
    engine = null
  })

  it('answers on a virtual clock at once, whatever its steps should take', async () => {
    const timing = {
      mode: 'roofline' as const,
      model: findModel('Llama-3.1-8B'),
      gpu: findGpu('H100'),
      tensorParallel: 1,
      weightBytes: 2,
      kvBytes: 2,
    }
    const clock = new VirtualClock()
    const {answer} = ask(await start({timing, clock}), generation('r', range(0, 30), 500))
    const {tokens, end} = await answer
    expect(tokens).to.have.length(500)
    expect(end).to.deep.equal({reason: 'length', stopTokenId: null, cachedTokens: 0, message: null})
    // 499 decodes of somewhat more than 7.3 ms each
    expect(clock.nowNs() / 1e6).to.be.within(499 * 7.29, 499 * 7.5)
    expect(engine!.state()).to.deep.include({
      modelledBytesPerBlock: 4 * 131_072,
      modelledPoolBytes: 1024 * 4 * 131_072,
    })
  })

  it('counts what it did', async () => {
    const seen = {first: 0, between: 0, steps: 0, finished: [] as number[]}
    await start()
    engine!.observe({
      firstToken: () => seen.first++,
      interToken: () => seen.between++,
      step: tokens => (seen.steps += tokens),
      finished: request => seen.finished.push(request.generatedTokens),
    })
    await ask(engine!, generation('a', range(0, 20), 10)).answer
    const {end} = await ask(engine!, generation('b', range(0, 20), 5)).answer
    expect(end.cachedTokens).to.equal(16)
    expect(engine!.stats()).to.deep.include({
      running: 0,
      waiting: 0,
      kvCacheUsage: 0,
      promptTokens: 40,
      promptTokensCached: 16,
      generationTokens: 15,
      prefixCacheQueries: 40,
      prefixCacheHits: 16,
      preemptions: 0,
    })
    // Prompts 20 and 20 − 16, then one token a step but for the last of each.
    expect(seen).to.deep.equal({first: 2, between: 9 + 4, steps: 24 + 9 + 4, finished: [10, 5]})
    expect(engine!.lookup(range(0, 20), null)).to.equal(16)
    expect(engine!.lookup(range(0, 20), 'tenant')).to.equal(0)
    expect(engine!.resetPrefixCache(false)).to.equal(true)
    expect(engine!.lookup(range(0, 20), null)).to.equal(0)
  })

  it('ends at EOS and at stop tokens, but not before the least number of tokens', async () => {
    await start({meanAnswerTokens: 4})
    const {tokens, end} = await ask(engine!, generation('eos', [5], 1000, {ignoreEos: false})).answer
    expect(end).to.deep.include({reason: 'stop', stopTokenId: null})
    expect(tokens.at(-1)).to.equal(vocabulary.eosTokenId)
    const long = await ask(engine!, generation('min', [5], 1000, {ignoreEos: false, minTokens: 40})).answer
    expect(long.tokens.length).to.be.above(40)
    const free = await ask(engine!, generation('free', [5], 50)).answer
    const stop = free.tokens[7]!
    const first = free.tokens.indexOf(stop)
    const stopped = await ask(engine!, generation('stop', [5], 50, {stopTokenIds: [stop]})).answer
    expect(stopped.tokens).to.deep.equal(free.tokens.slice(0, first + 1))
    expect(stopped.end).to.deep.include({reason: 'stop', stopTokenId: stop})
    const late = await ask(engine!, generation('late', [5], 50, {stopTokenIds: [stop], minTokens: 20})).answer
    expect(late.tokens.slice(0, 20)).not.to.include(stop)
  })

  it('refuses what can never run, in one sentence', async () => {
    await start()
    const never: [Partial<GenerationRequest>, string][] = [
      [{promptTokens: []}, 'the prompt has no tokens'],
      [{promptTokens: range(0, 1024)}, "the prompt has 1024 tokens; the model's context holds 1024"],
      [{maxTokens: 0}, 'max_tokens is 0'],
      [{priority: 1}, 'a priority needs the priority scheduling policy'],
    ]
    for (const [change, message] of never) {
      expect(() =>
        engine!.submit(
          {...generation('r', [1], 1), ...change},
          {tokens: () => undefined, end: () => undefined},
        ),
      )
        .to.throw(message)
        .with.property('code', 'REQUEST_INVALID')
    }
  })

  it('refuses options that contradict each other, and leaves nothing behind', async () => {
    const openFiles = readdirSync('/proc/self/fd').length
    const wrong: [Partial<EngineOptions>, string][] = [
      [{maxModelLen: 5000}, 'max_model_len is 5000, but 1024 blocks hold 4092 tokens'],
      [{maxNumBatchedTokens: 100}, 'max_num_batched_tokens is 100, less than max_num_seqs, 256'],
      [{enableChunkedPrefill: false, maxNumBatchedTokens: 512}, 'without chunked prefill'],
      [{kv: {rowBytes: 500, pageBytes: 32_768}}, 'KV rows have 500 bytes'],
      [{kv: {rowBytes: 512, pageBytes: 33_000}}, 'does not hold whole blocks'],
      [{numBlocks: 1}, 'at least 2 are needed'],
    ]
    for (const [change, message] of wrong) {
      const failure = await createEngine(options(change)).catch((error: unknown) => error)
      expect(failure).to.be.instanceOf(Error).with.property('message').that.includes(message)
    }
    expect(readdirSync('/proc/self/fd')).to.have.length(openFiles)
  })

  it('frees what an aborted request held, and says nothing more to it', async () => {
    await start({clock: systemClock, timing: {mode: 'constant', ttftMs: 1, itlMs: 1, prefillMsPerToken: 0}})
    const asked = ask(engine!, generation('r', range(0, 40), 900))
    await until(() => asked.tokens.length >= 3)
    asked.abort()
    const {tokens, end} = await asked.answer
    const {length} = tokens
    expect(end.reason).to.equal('abort')
    expect(engine!.stats()).to.deep.include({running: 0, kvCacheUsage: 0})
    await delay(20)
    expect(tokens).to.have.length(length)
    asked.abort()
  })

  it('ends everything on close and takes nothing after it', async () => {
    await start({clock: systemClock, timing: {mode: 'constant', ttftMs: 1, itlMs: 1, prefillMsPerToken: 0}})
    const running = ask(engine!, generation('r', range(0, 40), 900))
    await until(() => running.tokens.length > 0)
    await Promise.all([engine!.close(), engine!.close()])
    expect((await running.answer).end.reason).to.equal('abort')
    expect(() => engine!.submit(generation('s', [1], 1), {tokens: () => undefined, end: () => undefined}))
      .to.throw('takes no more requests')
      .with.property('code', 'ENGINE_CLOSED')
  })

  it('lets the event loop turn while it computes as fast as it can', async () => {
    await start({clock: systemClock})
    const asked = range(0, 16).map(index =>
      ask(engine!, generation(`r${index}`, range(index, index + 40), 200)),
    )
    let turns = 0
    let isDone = false
    const turn = (): void => {
      turns++
      if (!isDone) setImmediate(turn)
    }
    turn()
    await Promise.all(asked.map(({answer}) => answer))
    isDone = true
    expect(turns).to.be.above(3)
  })

  it('says something else after one byte of a live page was flipped', async () => {
    const slow = {
      clock: systemClock,
      timing: {mode: 'constant' as const, ttftMs: 2, itlMs: 2, prefillMsPerToken: 0},
    }
    await start({...slow, verifyKv: true, enablePrefixCaching: false})
    const whole = await ask(engine!, generation('whole', range(0, 40), 30)).answer
    const again = await ask(engine!, generation('again', range(0, 40), 30)).answer
    expect(again.tokens).to.deep.equal(whole.tokens)
    const damaged = ask(engine!, generation('damaged', range(0, 40), 30))
    await until(() => damaged.tokens.length >= 2)
    engine!.flipByte({requestId: 'damaged', offset: 4321})
    const {tokens} = await damaged.answer
    expect(tokens.slice(0, 2)).to.deep.equal(whole.tokens.slice(0, 2))
    expect(tokens).not.to.deep.equal(whole.tokens)
    expect(() => engine!.flipByte({requestId: 'damaged', offset: 0}))
      .to.throw()
      .with.property('code', 'REQUEST_NOT_FOUND')
    expect(() => engine!.flipByte({blockId: 1000, offset: 0})).to.throw(RangeError)
  })
})

describe('an embedded engine with a segment', () => {
  let folder: string
  let store: SegmentStore
  let engine: Engine
  const readLimit = async (): Promise<[number, number, number]> => {
    const {limitBytes, usedBytes, preallocBytes} = (await store.read('engine')).record
    return [Number(limitBytes), Number(usedBytes), Number(preallocBytes)]
  }

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kvctl-engine-'))
    store = segmentStoreIn(folder)
    engine = await createEngine(
      options({
        segment: {store, name: 'engine'},
        clock: systemClock,
        timing: {mode: 'constant', ttftMs: 2, itlMs: 2, prefillMsPerToken: 0},
      }),
    )
  })
  afterEach(async () => {
    await engine.close()
    rmSync(folder, {recursive: true})
  })

  it('publishes its limit and what it uses, and removes it on close', async () => {
    expect((await readLimit())[0]).to.equal(64 * bundleBytes)
    await until(() => engine.state().memory.preallocatedBytes === 2 * bundleBytes)
    await ask(engine, generation('r', range(0, 200), 10)).answer
    const {usedBytes, residentBytes, preallocatedBytes} = engine.state().memory
    expect(usedBytes).to.be.at.least(3 * bundleBytes)
    expect(residentBytes).to.equal(usedBytes + preallocatedBytes)
    await until(() => engine.state().memory.preallocatedBytes === 2 * bundleBytes)
    await delay(150)
    expect(await readLimit()).to.deep.equal([64 * bundleBytes, usedBytes, 2 * bundleBytes])
    await engine.close()
    expect(existsSync(join(folder, 'engine'))).to.equal(false)
  })

  it('obeys a lower limit under 16 streams without failing one, and a higher one again', async () => {
    const asked = range(0, 16).map(index =>
      ask(engine, generation(`r${index}`, range(index, index + 150), 200)),
    )
    await until(() => asked.every(({tokens}) => tokens.length > 2))
    const before = engine.state().memory.residentBytes
    const limit = 20 * bundleBytes
    expect(before).to.be.above(limit)
    await store.writeLimit('engine', BigInt(limit))
    await until(() => engine.state().memory.residentBytes <= limit)
    await until(() => !engine.state().memory.isShrinking)
    await delay(150)
    const [total, used, preallocated] = await readLimit()
    expect(total).to.equal(limit)
    expect(used + preallocated).to.be.at.most(limit)
    await store.writeLimit('engine', BigInt(64 * bundleBytes))
    for (const {answer} of asked) {
      const {tokens, end} = await answer
      expect(end.reason).to.equal('length')
      expect(tokens).to.have.length(200)
    }
    expect(engine.state().pool.capacityBlocks).to.equal(1023)
  })

  it('obeys a lower limit when it is idle', async () => {
    await ask(engine, generation('r', range(0, 800), 10)).answer
    const limit = 3 * bundleBytes
    expect(engine.state().memory.residentBytes).to.be.above(limit)
    await store.writeLimit('engine', BigInt(limit))
    await until(() => engine.state().memory.residentBytes <= limit)
    expect(engine.state().requests).to.deep.equal([])
  })

  it('lets a request that the limit has no room for wait until it has', async () => {
    await store.writeLimit('engine', BigInt(2 * bundleBytes))
    await until(() => engine.state().memory.limitBytes === 2 * bundleBytes)
    const asked = ask(engine, generation('r', range(0, 400), 5))
    await delay(50)
    expect(engine.stats()).to.deep.include({running: 0, waiting: 1})
    await store.writeLimit('engine', BigInt(64 * bundleBytes))
    expect((await asked.answer).end.reason).to.equal('length')
  })

  it('goes on when somebody deletes its segment', async () => {
    store.remove('engine')
    await delay(250)
    expect((await ask(engine, generation('r', range(0, 40), 5)).answer).end.reason).to.equal('length')
  })

  it('removes its segment at once when the process has no time left', () => {
    engine.removeSync()
    expect(existsSync(join(folder, 'engine'))).to.equal(false)
  })
})
