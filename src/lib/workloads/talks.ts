import {parseLengths} from './lengths.js'
import type {TalkSpec} from './spec.js'
import type {TextSource} from './text-source.js'
import type {MadeMessage, WorkItem} from './workload.js'

/** Length of a recorded answer when nothing says how long answers are. */
const ANSWER_TOKENS = 64
/** How much a model asks a tool. */
const CALL_TOKENS = 8

/** The one tool of made-up agents. */
const TOOL = {
  type: 'function',
  function: {
    name: 'look_up',
    description: 'Looks something up.',
    parameters: {type: 'object', properties: {query: {type: 'string'}}, required: ['query']},
  },
}

/**
 * Conversations of `turns` questions, cut off at `requests`. Their answers are made up, so that every server is asked the
 * same, unless the server's own are to stand there. An agent's question is asked again after each call of a tool, with the
 * call and its result behind it.
 */
export function makeTalks(spec: TalkSpec, requests: number, texts: TextSource): WorkItem[] {
  const {random} = texts
  const [input, first] = [parseLengths(spec.input), parseLengths(spec.first_input ?? spec.input)]
  const output = spec.output === null ? null : parseLengths(spec.output)
  const isAgentic = spec.kind === 'agentic'
  const result = isAgentic ? parseLengths(spec.tool_result) : input
  const isLive = spec.kind === 'multi-turn' && spec.history === 'live'
  const steps = isAgentic ? spec.tool_calls + 1 : 1
  const perSession = spec.turns * steps
  const pause = (meanMs: number): number => (meanMs === 0 ? 0 : random.exponential(meanMs))
  let texted = 0
  const own = (tokens: number): MadeMessage['blocks'] => [texts.own(texted++, tokens)]

  const items: WorkItem[] = []
  let history: readonly MadeMessage[] = []
  for (let index = 0; index < requests; index++) {
    const place = index % perSession
    const step = place % steps
    if (place === 0) history = systemPrompt(spec, index, texts)
    if (step === 0) {
      history = [...history, {role: 'user', blocks: own((place === 0 ? first : input)(random))}]
    } else {
      const call = `call-${place}`
      history = [
        ...history,
        {role: 'assistant', blocks: own(CALL_TOKENS), call},
        {role: 'tool', blocks: own(result(random)), call},
      ]
    }
    const maxTokens = output?.(random) ?? null
    items.push({
      content: {kind: 'made', messages: history},
      maxTokens,
      extraBody: isAgentic ? {tools: [TOOL]} : null,
      turn: place,
      delayMs: place === 0 ? 0 : pause(step === 0 || !isAgentic ? spec.think_ms : spec.tool_ms),
      ...(isLive && {isLive}),
    })
    if (step === steps - 1) {
      history = [...history, {role: 'assistant', blocks: own(maxTokens ?? ANSWER_TOKENS)}]
    }
  }
  return items
}

/** What all sessions share, then what this one has of its own. */
function systemPrompt(
  {prefix_tokens: shared, private_tokens: own}: TalkSpec,
  index: number,
  texts: TextSource,
): MadeMessage[] {
  const blocks = [
    ...(shared === 0 ? [] : [texts.shared(0, shared)]),
    ...(own === 0 ? [] : [texts.shared(1 + index, own)]),
  ]
  return blocks.length === 0 ? [] : [{role: 'system', blocks}]
}
