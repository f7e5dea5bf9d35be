import {seededRandom, type Random} from '../foundation/index.js'
import {parseLengths} from './lengths.js'
import type {MadeSpec, MultiTurnSpec} from './spec.js'
import type {MadeMessage, TextBlock, Workload, WorkItem} from './workload.js'

/** Where texts begin that no other request has: far from the seeds of shared ones. */
const OWN_TEXTS = 1 << 20
/** Length of a recorded answer when nothing says how long answers are. */
const ANSWER_TOKENS = 64

/**
 * Makes up a workload of `requests` requests, the same for the same seed. Requests of one group begin with the same text; a
 * session's later turns repeat everything said in it before, with made-up answers, so that every server is asked the same.
 */
export function makeWorkload(spec: MadeSpec, requests: number, seed: number): Workload {
  const random = seededRandom(seed)
  const textSeed = (index: number): number => Math.imul(seed ^ 0x5bd1e995, 0x27d4eb2f) + index
  const draw = {
    input: parseLengths(spec.input),
    output: spec.output === null ? null : parseLengths(spec.output),
  }
  const outputOf = (): number | null => draw.output?.(random) ?? null
  const own = (index: number): TextBlock => ({seed: textSeed(OWN_TEXTS + index), tokens: draw.input(random)})
  if (spec.kind === 'multi-turn')
    return {items: conversations(spec, requests, random, own, outputOf, textSeed), timesMs: null}
  const prefixOf = (index: number): TextBlock[] =>
    spec.kind === 'lengths' ? [] : [{seed: textSeed(index % spec.groups), tokens: spec.prefix_tokens}]
  const items = Array.from({length: requests}, (_, index) => ({
    content: {kind: 'made', messages: [{role: 'user', blocks: [...prefixOf(index), own(index)]}]} as const,
    maxTokens: outputOf(),
    extraBody: null,
    turn: 0,
    delayMs: 0,
  }))
  return {items, timesMs: null}
}

function conversations(
  {turns, prefix_tokens: prefixTokens, think_ms: thinkMs}: MultiTurnSpec,
  requests: number,
  random: Random,
  own: (index: number) => TextBlock,
  outputOf: () => number | null,
  textSeed: (index: number) => number,
): WorkItem[] {
  const system: MadeMessage[] =
    prefixTokens === 0 ? [] : [{role: 'system', blocks: [{seed: textSeed(0), tokens: prefixTokens}]}]
  const items: WorkItem[] = []
  let history = system
  for (let index = 0; index < requests; index++) {
    const turn = index % turns
    if (turn === 0) history = system
    const asked: MadeMessage = {role: 'user', blocks: [own(2 * index)]}
    const maxTokens = outputOf()
    const messages = [...history, asked]
    items.push({
      content: {kind: 'made', messages},
      maxTokens,
      extraBody: null,
      turn,
      delayMs: turn === 0 || thinkMs === 0 ? 0 : random.exponential(thinkMs),
    })
    const answer = {seed: textSeed(OWN_TEXTS + 2 * index + 1), tokens: maxTokens ?? ANSWER_TOKENS}
    history = [...messages, {role: 'assistant', blocks: [answer]}]
  }
  return items
}
