import type {Usage} from '../../lib/openai/index.js'
import type {Choice} from './choice.js'
import type {GenerationPlan} from './plan.js'

/** Each prompt counts once, whatever `n`; cached tokens only where the server was started to tell them. */
export function usageOf(plan: GenerationPlan, choices: readonly Choice[], showsCachedTokens: boolean): Usage {
  const promptTokens = plan.prompts.reduce((sum, prompt) => sum + prompt.length, 0)
  const generated = choices.reduce((sum, choice) => sum + choice.generatedTokens, 0)
  const cached = plan.prompts
    .map((_, at) =>
      Math.max(0, ...choices.filter(one => one.promptIndex === at).map(one => one.cachedTokens)),
    )
    .reduce((sum, tokens) => sum + tokens, 0)
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + generated,
    completion_tokens: generated,
    ...(showsCachedTokens && cached > 0 ? {prompt_tokens_details: {cached_tokens: cached}} : {}),
  }
}

/** Running totals of one choice, for `continuous_usage_stats`. */
export function choiceUsage(plan: GenerationPlan, choice: Choice): Usage {
  const promptTokens = plan.prompts[choice.promptIndex]!.length
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + choice.generatedTokens,
    completion_tokens: choice.generatedTokens,
  }
}
