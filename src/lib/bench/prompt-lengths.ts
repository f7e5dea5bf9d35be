import type {Content} from '../workloads/index.js'
import type {BenchPlan} from './bench-plan.js'

/** The prompts that kvctl has to make up, by their wanted lengths. */
export interface PromptLengths {
  /** Of the longest request: prompt, and answer when it has a length of its own. */
  readonly promptTokens: number
  readonly maxTokens: number | null
  /** A length in the middle of what is asked for, to fit words to tokens by. */
  readonly typicalTokens: number
}

/** @returns null when every prompt is given as it is */
export function longestPrompt({request, workload}: BenchPlan): PromptLengths | null {
  const {prompt} = request
  if (prompt.kind === 'fixed') return null
  if (prompt.kind === 'synthetic') {
    return {promptTokens: prompt.tokens, maxTokens: null, typicalTokens: prompt.tokens}
  }
  const made = (workload?.items ?? []).flatMap(({content, maxTokens}) =>
    content.kind === 'made' ? [{promptTokens: tokensOf(content), maxTokens}] : [],
  )
  if (made.length === 0) return null
  const total = (one: (typeof made)[0]): number => one.promptTokens + (one.maxTokens ?? request.maxTokens)
  const longest = made.reduce((most, one) => (total(one) > total(most) ? one : most))
  const lengths = Float64Array.from(made, ({promptTokens}) => promptTokens).sort()
  return {...longest, typicalTokens: lengths[lengths.length >> 1]!}
}

function tokensOf({messages}: Extract<Content, {kind: 'made'}>): number {
  return messages.reduce(
    (sum, {blocks}) => sum + blocks.reduce((tokens, block) => tokens + block.tokens, 0),
    0,
  )
}
