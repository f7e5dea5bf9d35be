import type {Tokenizer} from '../../lib/tokens/index.js'
import {ApiError} from '../api-error.js'
import type {SamplingFields} from '../schemas/sampling.js'
import type {StartGuide} from './guides.js'
import {planStructured} from './structured.js'
import type {AutoTools} from './tool-format.js'

/** What a request is checked against. */
export interface ServedModel {
  /** The first name labels metrics; all of them are accepted. */
  readonly names: readonly [string, ...string[]]
  /** Path or repository name of the model that is played. */
  readonly root: string
  readonly tokenizer: Tokenizer
  readonly maxModelLen: number
  readonly hasPriorities: boolean
  readonly showsCachedTokens: boolean
  readonly forcesUsage: boolean
  readonly maxLogprobs: number
  readonly maxSequencesPerRequest: number
  /** Null where a model may not choose to call tools. */
  readonly autoTools: AutoTools | null
  /** Of answers whose request names no seed. */
  readonly seed: number
}

/** A request with every default filled in and every rule checked; nothing after this asks again. */
export interface GenerationPlan {
  readonly model: string
  readonly prompts: readonly (readonly number[])[]
  /** Text that goes before each prompt's answer; null without `echo`. */
  readonly echoes: readonly string[] | null
  readonly n: number
  /** 0 only for an echo without an answer. */
  readonly maxTokens: number
  readonly minTokens: number
  readonly ignoreEos: boolean
  readonly stops: readonly string[]
  readonly stopTokenIds: readonly number[]
  readonly includeStop: boolean
  /** Of the first choice of each prompt; null is greedy. */
  readonly seed: number | null
  /** Begins the guide of one answer that must have a form; null for free text. */
  readonly startGuide: StartGuide | null
  readonly priority: number
  readonly cacheSalt: string | null
  /** Alternatives wanted per token; null without logprobs. */
  readonly logprobs: number | null
  readonly returnsTokenIds: boolean
  readonly namesTokensById: boolean
  readonly isStreamed: boolean
  readonly includesUsage: boolean
  readonly continuousUsage: boolean
}

/** The part of a plan that does not depend on the endpoint. */
type CommonPlan = Omit<GenerationPlan, 'prompts' | 'echoes' | 'maxTokens' | 'minTokens' | 'logprobs'>

/**
 * Checks what zod cannot see: rules between fields and against the model.
 *
 * @throws ApiError 400, 404 or 501
 * @see vllm-project/vllm:vllm/entrypoints/openai/engine/serving.py — _check_model and the validators beside it
 */
export function planCommon(fields: SamplingFields, model: ServedModel): CommonPlan {
  const isStreamed = fields.stream ?? false
  const n = fields.n ?? 1
  const isGreedy = (fields.temperature ?? 1) < 1e-5
  if (n > 1 && isGreedy) {
    throw new ApiError(400, `n must be 1 when using greedy sampling, got ${n}.`, 'n')
  }
  if (n > model.maxSequencesPerRequest) {
    throw new ApiError(400, `n must be at most ${model.maxSequencesPerRequest}, got ${n}.`, 'n')
  }
  if (fields.stream_options && !isStreamed) {
    throw new ApiError(400, 'Stream options can only be defined when `stream=True`.', 'stream_options')
  }
  if (fields.priority && !model.hasPriorities) {
    throw new ApiError(
      400,
      `Got priority ${fields.priority} but Priority scheduling is not enabled.`,
      'priority',
    )
  }
  if (fields.prompt_logprobs != null && isStreamed) {
    throw new ApiError(400, '`prompt_logprobs` are not available when `stream=True`.', 'prompt_logprobs')
  }
  refuseWhatIsMissing(fields)
  return {
    model: resolveModel(fields.model, model),
    n,
    ignoreEos: fields.ignore_eos ?? false,
    stops: typeof fields.stop === 'string' ? [fields.stop] : (fields.stop ?? []),
    stopTokenIds: fields.stop_token_ids ?? [],
    includeStop: fields.include_stop_str_in_output ?? false,
    startGuide: planStructured(fields, model.tokenizer),
    seed: isGreedy ? null : seedOf(fields.seed, model),
    priority: fields.priority ?? 0,
    cacheSalt: fields.cache_salt ?? null,
    returnsTokenIds: fields.return_token_ids ?? false,
    namesTokensById: fields.return_tokens_as_token_ids ?? false,
    isStreamed,
    includesUsage: isStreamed && (model.forcesUsage || (fields.stream_options?.include_usage ?? false)),
    continuousUsage:
      model.forcesUsage ||
      ((fields.stream_options?.include_usage ?? false) &&
        (fields.stream_options?.continuous_usage_stats ?? false)),
  }
}

/**
 * −1 is no seed, as in vLLM, which then takes a random one; here no answer depends on chance. Of large seeds the low 52 bits
 * count, so that the choices' seeds stay apart.
 */
function seedOf(asked: number | null | undefined, model: ServedModel): number {
  return asked == null || asked === -1 ? model.seed : asked % 2 ** 52
}

/** What the embedded engine does not do: saying so beats an answer of the wrong form. */
function refuseWhatIsMissing(fields: SamplingFields): void {
  const missing = (what: string, param: string): ApiError =>
    new ApiError(501, `${what} is not implemented by kvctl's embedded engine.`, param)
  if (fields.use_beam_search) throw missing('Beam search', 'use_beam_search')
  if (fields.prompt_logprobs != null) throw missing('prompt_logprobs', 'prompt_logprobs')
}

/** @throws ApiError 404 */
export function resolveModel(asked: string | null | undefined, model: ServedModel): string {
  if (!asked) return model.names[0]
  if (!model.names.includes(asked)) {
    throw new ApiError(404, `The model \`${asked}\` does not exist.`, 'model')
  }
  return asked
}

/** @throws ApiError 400 when more alternatives are wanted than `--max-logprobs` */
export function checkLogprobs(wanted: number, model: ServedModel, param: string): number {
  if (wanted < 0) throw new ApiError(400, `\`${param}\` must be a positive value.`, param)
  if (wanted > model.maxLogprobs) {
    const message = `Requested sample logprobs of ${wanted}, which is greater than max allowed: ${model.maxLogprobs}`
    throw new ApiError(400, message, param)
  }
  return wanted
}

/**
 * How many tokens the answer may have, checked against the model's length.
 *
 * @param asked null: as many as fit
 * @throws ApiError 400
 */
export function planLength(
  asked: number | null,
  minTokens: number,
  promptTokens: number,
  model: ServedModel,
): {maxTokens: number; minTokens: number} {
  const {maxModelLen} = model
  if (asked !== null && asked > maxModelLen) {
    const message = `max_tokens=${asked} cannot be greater than max_model_len=${maxModelLen}.`
    throw new ApiError(400, message, 'max_tokens')
  }
  if (promptTokens + (asked ?? 1) > maxModelLen) throw tooLong(asked ?? 1, promptTokens, '', model)
  const maxTokens = asked ?? maxModelLen - promptTokens
  if (minTokens > maxTokens) {
    const message = `min_tokens must be less than or equal to max_tokens=${maxTokens}, got ${minTokens}.`
    throw new ApiError(400, message, 'min_tokens')
  }
  return {maxTokens, minTokens}
}

/**
 * Refuses texts whose shortest form is already too long, without reading them.
 *
 * @throws ApiError 400
 */
export function refuseFarTooLong(texts: readonly string[], outputTokens: number, model: ServedModel): void {
  const least = texts.reduce((sum, text) => sum + model.tokenizer.leastTokens(text), 0)
  if (least > model.maxModelLen) throw tooLong(outputTokens, least, 'at least ', model)
}

function tooLong(output: number, input: number, atLeast: string, {maxModelLen}: ServedModel): ApiError {
  return new ApiError(
    400,
    `This model's maximum context length is ${maxModelLen} tokens. However, you requested ${output} output tokens and ` +
      `your prompt contains ${atLeast}${input} input tokens, for a total of ${atLeast}${output + input} tokens. ` +
      'Please reduce the length of the input prompt or the number of requested output tokens.',
    'input_tokens',
  )
}

/** @throws ApiError 400 for an id that is no token */
export function checkTokenIds(ids: readonly number[], model: ServedModel): void {
  const {size} = model.tokenizer.vocabulary
  const stranger = ids.find(id => id >= size)
  if (stranger !== undefined) throw new ApiError(400, `Token id ${stranger} is out of vocabulary`, 'prompt')
}
