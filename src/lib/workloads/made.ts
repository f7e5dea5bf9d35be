import {seededRandom, type Random} from '../foundation/index.js'
import {parseLengthPairs, parseLengths} from './lengths.js'
import type {MadeSpec} from './spec.js'
import {makeTalks} from './talks.js'
import type {TextSource} from './text-source.js'
import type {Workload, WorkItem} from './workload.js'

/** Where texts begin that no other request has: far from the seeds of shared ones. */
const OWN_TEXTS = 1 << 20

/**
 * Makes up a workload of `requests` requests, the same for the same seed. Requests of one group begin with the same text; a
 * session's later turns repeat everything said in it before.
 */
export function makeWorkload(spec: MadeSpec, requests: number, seed: number): Workload {
  const textSeed = (index: number): number => Math.imul(seed ^ 0x5bd1e995, 0x27d4eb2f) + index
  const texts: TextSource = {
    random: seededRandom(seed),
    shared: (index, tokens) => ({seed: textSeed(index), tokens}),
    own: (index, tokens) => ({seed: textSeed(OWN_TEXTS + index), tokens}),
  }
  const items =
    spec.kind === 'multi-turn' || spec.kind === 'agentic'
      ? makeTalks(spec, requests, texts)
      : singleRequests(spec, requests, texts)
  return {items, timesMs: null}
}

function singleRequests(
  spec: Extract<MadeSpec, {kind: 'lengths' | 'length-pairs' | 'shared-prefix'}>,
  requests: number,
  texts: TextSource,
): WorkItem[] {
  const draw = lengthsOf(spec, texts.random)
  return Array.from({length: requests}, (_, index) => {
    const [input, maxTokens] = draw()
    const prefix =
      spec.kind === 'shared-prefix' ? [texts.shared(index % spec.groups, spec.prefix_tokens)] : []
    const blocks = [...prefix, texts.own(index, input)]
    return {
      content: {kind: 'made', messages: [{role: 'user', blocks}]},
      maxTokens,
      extraBody: null,
      turn: 0,
      delayMs: 0,
    }
  })
}

function lengthsOf(
  spec: Extract<MadeSpec, {kind: 'lengths' | 'length-pairs' | 'shared-prefix'}>,
  random: Random,
): () => readonly [input: number, output: number | null] {
  if (spec.kind === 'length-pairs') {
    const draw = parseLengthPairs(spec.pairs)
    return () => draw(random)
  }
  const [input, output] = [parseLengths(spec.input), spec.output === null ? null : parseLengths(spec.output)]
  return () => [input(random), output?.(random) ?? null]
}
