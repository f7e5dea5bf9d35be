import type {Submission} from '../../lib/engine/index.js'
import {ConfigurationError, ResourceError} from '../../lib/foundation/index.js'
import type {Tokenizer} from '../../lib/tokens/index.js'
import {ApiError} from '../api-error.js'
import type {ServedEngine} from '../served-engine.js'
import {createChoice, type Choice} from './choice.js'
import type {GenerationPlan} from './plan.js'

/** The answers of one request, on their way. */
export interface Generation {
  readonly choices: readonly Choice[]
  /** Lets the engine forget what has not ended. */
  abort(): void
}

/**
 * Hands every sequence of a plan to the engine; choice `k` of prompt `p` has index `k + p·n`.
 *
 * @param requestId unique among unfinished requests
 * @param echoes text that each prompt's answers begin with; null for none
 * @param onChange something can be taken from a choice; called on the engine's thread
 * @throws ApiError 400 when the engine could never run it, 503 when it no longer serves; then nothing of it runs
 */
export function generate(
  engine: ServedEngine,
  plan: GenerationPlan,
  tokenizer: Tokenizer,
  requestId: string,
  echoes: readonly string[] | null,
  onChange: () => void,
): Generation {
  const handles: (Submission | null)[] = []
  const choices = plan.prompts.flatMap((_, promptIndex) =>
    Array.from({length: plan.n}, (_, k) => {
      const index = k + promptIndex * plan.n
      return createChoice(index, promptIndex, plan, echoes?.[promptIndex] ?? '', tokenizer, {
        changed: onChange,
        stopped: () => handles[index]?.abort('stop'),
      })
    }),
  )
  const abort = (): void => {
    choices.forEach((choice, index) => {
      if (!choice.isFinished) handles[index]?.abort()
    })
  }
  try {
    for (const choice of choices) handles.push(submit(engine, plan, choice, requestId))
  } catch (error) {
    for (const handle of handles) handle?.abort()
    if (error instanceof ConfigurationError) throw new ApiError(400, error.message)
    if (error instanceof ResourceError) throw new ApiError(503, error.message)
    throw error
  }
  return {choices, abort}
}

function submit(
  engine: ServedEngine,
  plan: GenerationPlan,
  choice: Choice,
  requestId: string,
): Submission | null {
  if (plan.maxTokens === 0) {
    choice.sink.end({reason: 'length', stopTokenId: null, cachedTokens: 0, message: null})
    return null
  }
  return engine.submit(
    {
      id: `${requestId}-${choice.index}`,
      promptTokens: plan.prompts[choice.promptIndex]!,
      maxTokens: plan.maxTokens,
      minTokens: plan.minTokens,
      ignoreEos: plan.ignoreEos,
      stopTokenIds: plan.stopTokenIds,
      // @see vllm-project/vllm:vllm/v1/engine/parallel_sampling.py — choice k has the seed plus k
      seed: plan.seed === null ? null : plan.seed + (choice.index % plan.n),
      startGuide: plan.startGuide,
      priority: plan.priority,
      cacheSalt: plan.cacheSalt,
    },
    choice.sink,
  )
}
