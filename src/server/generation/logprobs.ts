import type {Tokenizer} from '../../lib/tokens/index.js'
import type {GenerationPlan} from './plan.js'

/**
 * The toy model picks one token with certainty: each sampled token has log probability 0, and there are no alternatives
 * to list beside it.
 */
const CERTAIN = 0

function tokenName(id: number, plan: GenerationPlan, tokenizer: Tokenizer): string {
  return plan.namesTokensById ? `token_id:${id}` : tokenizer.decode([id])
}

/** `logprobs` of a completion choice; `text_offset` counts from `offset`. */
export function completionLogprobs(
  ids: readonly number[],
  offset: number,
  plan: GenerationPlan,
  tokenizer: Tokenizer,
): object {
  const tokens = ids.map(id => tokenName(id, plan, tokenizer))
  let at = offset
  return {
    text_offset: ids.map(id => {
      const here = at
      at += tokenizer.decode([id]).length
      return here
    }),
    token_logprobs: ids.map(() => CERTAIN),
    tokens,
    top_logprobs: tokens.map(token => ({[token]: CERTAIN})),
  }
}

/** `logprobs` of a chat choice. */
export function chatLogprobs(ids: readonly number[], plan: GenerationPlan, tokenizer: Tokenizer): object {
  return {
    content: ids.map(id => {
      const entry = {
        token: tokenName(id, plan, tokenizer),
        logprob: CERTAIN,
        bytes: [...tokenizer.tokenBytes(id)],
      }
      return {...entry, top_logprobs: plan.logprobs! > 0 ? [entry] : []}
    }),
  }
}
