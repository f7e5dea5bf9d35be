import {expect} from 'chai'
import fc from 'fast-check'
import type {GenerationRequest, TokenGuide} from '../../../src/lib/engine/index.js'
import type {BlockSource} from '../../../src/lib/engine/core/ports.js'
import {anyObjectGrammar, createGrammar, createGuide} from '../../../src/lib/grammar/index.js'
import {generation, range} from '../../support/engine-core.js'
import {answersAlone, EngineRig, rigPageBundleBytes, type RigOptions} from '../../support/engine-rig.js'

const MAX_MODEL_LEN = 160

const grammar = createGrammar(anyObjectGrammar())
/** Answers in JSON, a character a token. */
const startJsonGuide = (): TokenGuide =>
  createGuide({
    grammar,
    share: 1,
    encode: text => Array.from(text, character => 100 + character.charCodeAt(0)),
    words: ['a', 'be', 'sea'],
  })

/** Prompts that begin alike, as conversations do, and end apart. */
const prompt = fc
  .record({
    family: fc.integer({min: 0, max: 2}),
    shared: fc.integer({min: 0, max: 60}),
    own: fc.array(fc.integer({min: 0, max: 499}), {minLength: 1, maxLength: 40}),
  })
  .map(({family, shared, own}) => [
    ...range(0, shared).map(index => (index * 31 + family * 97) % 500),
    ...own,
  ])

const requests = fc
  .array(
    fc.record({
      prompt,
      maxTokens: fc.integer({min: 1, max: 50}),
      ignoreEos: fc.boolean(),
      minTokens: fc.integer({min: 0, max: 5}),
      priority: fc.integer({min: 0, max: 3}),
      salt: fc.constantFrom(null, null, 'tenant'),
      seed: fc.option(fc.integer()),
      isGuided: fc.boolean(),
      arrival: fc.integer({min: 0, max: 40}),
    }),
    {minLength: 1, maxLength: 24, size: 'max'},
  )
  .map(list =>
    list.map(({prompt: tokens, maxTokens, salt, isGuided, arrival, ...rest}, index) => ({
      arrival,
      request: generation(`r${index}`, tokens, maxTokens, {
        ...rest,
        cacheSalt: salt,
        startGuide: isGuided ? startJsonGuide : null,
      }),
    })),
  )

const config = fc.record({
  enablePrefixCaching: fc.boolean(),
  enableChunkedPrefill: fc.boolean(),
  budget: fc.integer({min: 1, max: 100}),
  maxNumSeqs: fc.constantFrom(1, 64, 2, 8),
  longPrefillTokenThreshold: fc.constantFrom(0, 0, 7),
  policy: fc.constantFrom('fcfs' as const, 'priority' as const),
  reserveFullPrompt: fc.boolean(),
  // From hardly more than one request to room for all.
  numBlocks: fc.integer({min: MAX_MODEL_LEN / 4 + 1, max: 800}),
  maxCachedBlocks: fc.constantFrom(null, 0, 10),
  verifyKv: fc.boolean(),
  // Pages of the limit from some step on; null restores it.
  limits: fc.array(
    fc.record({step: fc.integer({min: 1, max: 60}), pages: fc.option(fc.integer({min: 1, max: 12}))}),
    {
      maxLength: 4,
    },
  ),
})

type Config = typeof config extends fc.Arbitrary<infer T> ? T : never

function rigOptions({budget, enableChunkedPrefill, maxNumSeqs, ...rest}: Config): RigOptions {
  const maxNumBatchedTokens = Math.max(enableChunkedPrefill ? budget : MAX_MODEL_LEN, maxNumSeqs)
  return {...rest, enableChunkedPrefill, maxNumSeqs, maxNumBatchedTokens, maxModelLen: MAX_MODEL_LEN}
}

/** Runs all requests together; restores the limit once nothing moves any more, so that all can finish. */
function answersTogether(
  rig: EngineRig,
  list: readonly {arrival: number; request: GenerationRequest}[],
  limits: readonly {step: number; pages: number | null}[],
): Map<string, number[]> {
  const lastArrival = Math.max(...list.map(({arrival}) => arrival))
  for (let step = 0; step <= lastArrival; step++) {
    for (const {arrival, request} of list) {
      if (arrival === step) rig.add(rig.isByPriority ? request : {...request, priority: 0})
    }
    setLimit(rig, limits, step)
    rig.step()
  }
  rig.run(step => setLimit(rig, limits, step))
  rig.limitBytes = rig.memory.manager.startupBytes
  return rig.run()
}

function setLimit(
  rig: EngineRig,
  limits: readonly {step: number; pages: number | null}[],
  step: number,
): void {
  const change = limits.find(limit => limit.step === step)
  if (!change) return
  rig.limitBytes = change.pages === null ? rig.memory.manager.startupBytes : change.pages * rigPageBundleBytes
}

describe('the same request', () => {
  it('is answered the same, byte by byte, however its KV cache was paged', function () {
    this.timeout(120_000)
    let [checked, preempted, moved, cached, shrunk] = [0, 0, 0, 0, 0]
    const reached = new Set<string>()
    fc.assert(
      fc.property(requests, config, (list, chosen) => {
        const expected = answersAlone(
          list.map(({request}) => request),
          MAX_MODEL_LEN,
        )
        const rig = new EngineRig(rigOptions(chosen))
        try {
          const answers = answersTogether(rig, list, chosen.limits)
          for (const {request} of list) {
            expect(rig.ends.get(request.id), `${request.id} ends`).to.be.oneOf(['length', 'stop'])
            expect(answers.get(request.id), `answer of ${request.id}`).to.deep.equal(expected.get(request.id))
          }
          expect(rig.core.scheduler.pool.usedBlocks, 'blocks left behind').to.equal(0)
          checked += list.length
          preempted += rig.core.scheduler.preemptions
          moved += rig.memory.movedBlocks
          cached += rig.core.totals.promptTokensCached
          if (chosen.limits.some(({pages}) => pages !== null)) shrunk += list.length
          reached.add(
            `caching ${chosen.enablePrefixCaching}, chunks ${chosen.enableChunkedPrefill}, at once ${chosen.maxNumSeqs}`,
          )
        } finally {
          rig.close()
        }
      }),
      // 12 requests a run on average; the first run brings no fewer than its share of the 2,000
      {numRuns: 400},
    )
    expect(checked).to.be.at.least(2000)
    // The matrix is only worth something if it reached all of these.
    for (const caching of [true, false]) {
      for (const chunks of [true, false]) {
        for (const atOnce of [1, 64]) {
          expect(reached).to.include(`caching ${caching}, chunks ${chunks}, at once ${atOnce}`)
        }
      }
    }
    expect(preempted, 'preemptions').to.be.above(100)
    expect(moved, 'moved blocks').to.be.above(100)
    expect(cached, 'cached tokens').to.be.above(1000)
    expect(shrunk, 'requests under a limit that fell').to.be.above(500)
  })

  it('is answered the same alone and among 64 others', () => {
    const list = range(0, 64).map(index =>
      generation(`r${index}`, range(index, index + 20 + (index % 7)), 40),
    )
    const expected = answersAlone(list, MAX_MODEL_LEN)
    const rig = new EngineRig({
      numBlocks: 2000,
      maxNumSeqs: 64,
      maxModelLen: MAX_MODEL_LEN,
      maxNumBatchedTokens: 256,
    })
    for (const request of list) rig.add(request)
    const answers = rig.run()
    rig.close()
    for (const {id} of list) expect(answers.get(id)).to.deep.equal(expected.get(id))
  })

  it('says something else than another request', () => {
    const list = range(0, 50).map(index => generation(`r${index}`, [1, 2, 3, 10 + index], 10))
    const texts = new Set([...answersAlone(list, MAX_MODEL_LEN).values()].map(tokens => tokens.join(' ')))
    expect(texts.size).to.equal(50)
  })

  it('says something else by every seed, and the same by the same one', () => {
    const seeds = [null, ...range(-3, 4), 2 ** 32, 2 ** 40, 2 ** 40 + 1]
    const list = seeds.map((seed, index) => generation(`r${index}`, [1, 2, 3], 10, {seed}))
    const texts = [...answersAlone(list, MAX_MODEL_LEN).values()].map(tokens => tokens.join(' '))
    expect(new Set(texts).size).to.equal(seeds.length)
    expect([...answersAlone(list, MAX_MODEL_LEN).values()].map(tokens => tokens.join(' '))).to.deep.equal(
      texts,
    )
  })

  it('is answered differently when one block is given to two requests', () => {
    const list = range(0, 4).map(index => generation(`r${index}`, range(index * 50, index * 50 + 30), 40))
    const expected = answersAlone(list, MAX_MODEL_LEN)
    // The 20th block handed out is one that somebody already has.
    let count = 0
    const sourceOf = (source: BlockSource): BlockSource => ({
      ...source,
      take: wanted => source.take(wanted).map(id => (++count === 20 ? 3 : id)),
    })
    const rig = new EngineRig({
      numBlocks: 800,
      maxModelLen: MAX_MODEL_LEN,
      enablePrefixCaching: false,
      sourceOf,
    })
    for (const request of list) rig.add(request)
    for (let step = 0; step < 30; step++) rig.step()
    const same = list.filter(({id}) => {
      const got = rig.answers.get(id)!
      return got.join() === expected.get(id)!.slice(0, got.length).join()
    })
    rig.close()
    expect(same.length).to.be.below(list.length)
  })

  it('is answered differently after any one byte of its KV cache was flipped, when every row is checked', () => {
    const request = generation('r', range(7, 27), 12)
    const expected = answersAlone([request], MAX_MODEL_LEN).get('r')!
    fc.assert(
      fc.property(fc.nat(20 * 2 * 64 - 1), fc.integer({min: 0, max: 7}), (place, bit) => {
        const rig = new EngineRig({numBlocks: 100, maxModelLen: MAX_MODEL_LEN, verifyKv: true})
        rig.add(request)
        rig.step()
        // 20 rows of K and 20 of V, in blocks of 4
        const [row, byte] = [Math.floor(place / 64), place % 64]
        const [position, isValue] = [row >> 1, row & 1]
        const block = rig.core.sequence('r')!.blocks[Math.floor(position / 4)]!
        const offset = [rig.memory.rowOffset(block, position % 4) + isValue * rig.memory.valueDistance + byte]
        const damaged = new Uint8Array(1)
        rig.memory.reservation.gather(offset, 1, 1, damaged)
        damaged[0]! ^= 1 << bit
        rig.memory.reservation.scatter(offset, 1, 1, damaged)
        rig.run()
        rig.close()
        expect(rig.answers.get('r')).not.to.deep.equal(expected)
      }),
      {numRuns: 100},
    )
  })
})

describe('a limit that falls while requests run', () => {
  it('is met by evicting, preempting and moving, and every request is still answered', () => {
    const rig = new EngineRig({
      numBlocks: 640,
      maxNumSeqs: 64,
      maxModelLen: MAX_MODEL_LEN,
      maxNumBatchedTokens: 512,
    })
    const list = range(0, 32).map(index => generation(`r${index}`, range(index, index + 24), 60))
    for (const request of list) rig.add(request)
    for (let step = 0; step < 20; step++) rig.step()
    const before = rig.memory.reservation.residentBytes()
    const {inUse} = rig.memory.manager.pageCounts
    const limitPages = Math.ceil(inUse * 0.75)
    rig.limitBytes = limitPages * rigPageBundleBytes
    rig.step()

    const {inUse: inUseAfter, reserved} = rig.memory.manager.pageCounts
    expect(inUseAfter + reserved).to.be.at.most(limitPages)
    expect(rig.memory.reservation.residentBytes())
      .to.be.at.most(limitPages * rigPageBundleBytes)
      .and.below(before)
    expect(rig.core.scheduler.running.length, 'moving spares most of them').to.be.at.least(16)

    rig.run()
    const expected = answersAlone(list, MAX_MODEL_LEN)
    for (const {id} of list) expect(rig.answers.get(id)).to.deep.equal(expected.get(id))
    rig.close()
  })

  it('evicts what is only cached before it preempts anybody', () => {
    const rig = new EngineRig({numBlocks: 640, maxModelLen: MAX_MODEL_LEN})
    for (let index = 0; index < 8; index++)
      rig.add(generation(`old${index}`, range(index * 31, index * 31 + 60), 4))
    rig.run()
    expect(rig.core.scheduler.pool.counts.cachedFree).to.be.above(100)
    rig.add(generation('new', range(0, 30), 30))
    rig.step()
    rig.limitBytes = 2 * rigPageBundleBytes
    rig.step()
    expect(rig.memory.reservation.residentBytes()).to.be.at.most(2 * rigPageBundleBytes)
    expect(rig.core.scheduler.preemptions).to.equal(0)
    rig.close()
  })
})
