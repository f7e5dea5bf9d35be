import {
  errorMessage,
  isAnswerBearing,
  isTokenBearing,
  type Delta,
  type StreamChunk,
  type Usage,
} from '../openai/index.js'

/** One parsed message of an answer, streamed or whole, as far as a measurement needs it. */
export interface AnswerChunk {
  /** It brought a token of choice 0. */
  readonly isToken: boolean
  /** And it was more than reasoning. */
  readonly isAnswer: boolean
  /** What it says, reasoning left out. */
  readonly text: string
  /** Everything that it brought, of any choice. */
  generated(): readonly GeneratedPart[]
  /** How many it brought, where its token ids or its logprobs say so. */
  readonly tokens: {readonly count: number; readonly areIds: boolean} | null
  readonly hasChoices: boolean
  readonly finishReason: string | null
  readonly usage: TokenCounts | null
  /** What an error object says. */
  readonly error: string | null
}

/** Text that a model wrote in one go: reasoning, answer, refusal, or one call of a tool (its name, then its arguments). */
export interface GeneratedPart {
  /** Tells it from the other parts of the same answer. */
  readonly of: string
  readonly text: string
}

/** What a server counted; null for what it does not say. */
export interface TokenCounts {
  readonly promptTokens: number | null
  readonly completionTokens: number | null
  readonly cachedTokens: number | null
  readonly reasoningTokens: number | null
}

/**
 * Reads one message.
 *
 * @param before the last token counts of the same stream
 * @returns null when it is not a JSON object of the expected shape
 */
export function readAnswerChunk(text: string, before: TokenCounts | null): AnswerChunk | null {
  try {
    const chunk = JSON.parse(text) as (StreamChunk & Whole) | null
    if (typeof chunk !== 'object' || chunk === null || Array.isArray(chunk)) return null
    const {choices: listed, usage} = chunk
    const choices = Array.isArray(listed) ? (listed as WholeChoice[]) : []
    // With several choices the latencies are those of the first.
    const choice = choices.find(({index = 0}) => index === 0)
    const finishReason = typeof choice?.finish_reason === 'string' ? choice.finish_reason : null
    // Usage that comes only with the finish reason sums up; it is no token of its own.
    const isSummary = finishReason !== null && before === null
    const seen = isSummary ? Infinity : (before?.completionTokens ?? 0)
    const ofChoice = choice && {
      ...chunk,
      choices: [{...choice, delta: choice.delta ?? choice.message ?? null}],
    }
    return {
      isToken: ofChoice !== undefined && isTokenBearing(ofChoice, seen),
      isAnswer: ofChoice !== undefined && isAnswerBearing(ofChoice),
      text: choice?.text ?? choice?.delta?.content ?? choice?.message?.content ?? '',
      generated: () => choices.flatMap(generatedIn),
      tokens: choice === undefined ? null : tokensIn(choice),
      hasChoices: choices.length > 0,
      finishReason,
      usage: usage == null ? null : countsOf(usage),
      error: listed === undefined || chunk.error != null ? errorMessage(chunk) : null,
    }
  } catch {
    return null
  }
}

type WholeChoice = NonNullable<StreamChunk['choices']>[number] & {readonly message?: Delta | null}
interface Whole {
  readonly choices?: readonly WholeChoice[] | null
}

function generatedIn({index = 0, text, delta, message}: WholeChoice): GeneratedPart[] {
  const {content, reasoning, reasoning_content: thought, refusal, tool_calls: calls} = delta ?? message ?? {}
  const asked = (calls ?? []).map(
    ({index: place, function: call}, at) =>
      [`call ${place ?? at}`, `${call?.name ?? ''}${call?.arguments ?? ''}`] as const,
  )
  const all = [
    ['answer', text ?? content],
    ['reasoning', reasoning ?? thought],
    ['refusal', refusal],
    ...asked,
  ] as const
  return all.flatMap(([of, part]) =>
    typeof part === 'string' && part !== '' ? [{of: `${index} ${of}`, text: part}] : [],
  )
}

function tokensIn({token_ids: ids, logprobs}: WholeChoice): AnswerChunk['tokens'] {
  if (Array.isArray(ids) && ids.length > 0) return {count: ids.length, areIds: true}
  const count = Array.isArray(logprobs?.content) ? logprobs.content.length : 0
  return count > 0 ? {count, areIds: false} : null
}

function countsOf(usage: Partial<Usage>): TokenCounts {
  return {
    promptTokens: countOrNull(usage.prompt_tokens),
    completionTokens: countOrNull(usage.completion_tokens),
    cachedTokens: countOrNull(usage.prompt_tokens_details?.cached_tokens),
    reasoningTokens: countOrNull(usage.completion_tokens_details?.reasoning_tokens),
  }
}

function countOrNull(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : null
}
