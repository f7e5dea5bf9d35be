import {expect} from 'chai'
import fc from 'fast-check'
import type {GenerationRequest, TokenGuide} from '../../src/lib/engine/index.js'
import {anyObjectGrammar, createGrammar, createGuide} from '../../src/lib/grammar/index.js'
import type {PageReserve} from '../../src/lib/memory/index.js'
import {generation, range} from './engine-core.js'
import {answersAlone, EngineRig, rigPageBundleBytes, type RigOptions} from './engine-rig.js'

export const MAX_MODEL_LEN = 160
/** The limit of a swinging one changes every so many steps. */
const [SWINGS, SWING_STEPS] = [400, 10]

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

/** A limit that is low for half the time. */
function swinging(lowPages: number): {step: number; pages: number | null}[] {
  return range(1, SWINGS).map(index => ({
    step: index * SWING_STEPS,
    pages: index % 2 === 1 ? lowPages : null,
  }))
}

export interface MatrixOptions {
  readonly runs: number
  /** Memory of the engine; the answers that it has to give come from this machine's. */
  readonly reserve?: PageReserve
  /** The limit falls and rises all the time, rather than now and then. */
  readonly swings?: boolean
  readonly seed?: number
}

/** What a matrix reached; it is only worth something if it reached a lot. */
export interface MatrixReach {
  readonly requests: number
  readonly preemptions: number
  readonly movedBlocks: number
  readonly cachedTokens: number
  /** Requests under a limit that fell. */
  readonly shrunk: number
  /** Combinations of caching, chunked prefill and streams at once. */
  readonly cells: ReadonlySet<string>
}

/**
 * Random requests on engines of random settings: every answer is what the request says when it is alone.
 *
 * @throws AssertionError with the smallest counterexample
 */
export function expectSameAnswers({runs, reserve, swings = false, ...rest}: MatrixOptions): MatrixReach {
  const reach = {
    requests: 0,
    preemptions: 0,
    movedBlocks: 0,
    cachedTokens: 0,
    shrunk: 0,
    cells: new Set<string>(),
  }
  const check = (list: readonly {arrival: number; request: GenerationRequest}[], chosen: Config): void => {
    const expected = answersAlone(
      list.map(({request}) => request),
      MAX_MODEL_LEN,
    )
    const rig = new EngineRig({...rigOptions(chosen), ...(reserve && {reserve})})
    try {
      const limits = swings ? swinging(1 + (chosen.budget % 12)) : chosen.limits
      const answers = answersTogether(rig, list, limits)
      for (const {request} of list) {
        expect(rig.ends.get(request.id), `${request.id} ends`).to.be.oneOf(['length', 'stop'])
        expect(answers.get(request.id), `answer of ${request.id}`).to.deep.equal(expected.get(request.id))
      }
      expect(rig.core.scheduler.pool.usedBlocks, 'blocks left behind').to.equal(0)
      reach.requests += list.length
      reach.preemptions += rig.core.scheduler.preemptions
      reach.movedBlocks += rig.memory.movedBlocks
      reach.cachedTokens += rig.core.totals.promptTokensCached
      if (limits.some(({pages}) => pages !== null)) reach.shrunk += list.length
      reach.cells.add(
        `caching ${chosen.enablePrefixCaching}, chunks ${chosen.enableChunkedPrefill}, at once ${chosen.maxNumSeqs}`,
      )
    } finally {
      rig.close()
    }
  }
  // 12 requests a run on average; the first run brings no fewer than its share.
  fc.assert(fc.property(requests, config, check), {numRuns: runs, ...rest})
  return reach
}
