import {
  anyObjectGrammar,
  choice,
  patternGrammar,
  schemaGrammar,
  type GrammarNode,
} from '../../lib/grammar/index.js'
import type {Tokenizer} from '../../lib/tokens/index.js'
import {ApiError} from '../api-error.js'
import type {SamplingFields} from '../schemas/sampling.js'
import {planGuide, type StartGuide} from './guides.js'

/** Fields of `structured_outputs` of which exactly one names the form. */
const KINDS = ['json', 'regex', 'choice', 'grammar', 'json_object', 'structural_tag'] as const

/** The form that a request asks of its answers. */
interface Form {
  readonly what: string
  readonly param: string
  readonly grammar: () => GrammarNode
}

/**
 * Guides for `response_format` and `structured_outputs`; null where neither asks for a form.
 *
 * @throws ApiError 400 for a form that is none, 501 for one that the embedded engine cannot follow
 * @see vllm-project/vllm:vllm/sampling_params.py — StructuredOutputsParams, which both fields end up in
 */
export function planStructured(fields: SamplingFields, tokenizer: Tokenizer): StartGuide | null {
  const formatted = formOfFormat(fields)
  const constrained = formOfConstraint(fields)
  if (formatted && constrained) {
    const message =
      'You can only use one kind of structured outputs constraint: response_format or structured_outputs.'
    throw new ApiError(400, message, 'structured_outputs')
  }
  const form = formatted ?? constrained
  return form && planGuide(form.grammar, 1, tokenizer, form.what, form.param)
}

function formOfFormat({response_format: format}: SamplingFields): Form | null {
  const param = 'response_format'
  switch (format?.type) {
    case undefined:
    case 'text':
      return null
    case 'json_object':
      return {what: 'json_object', param, grammar: anyObjectGrammar}
    case 'json_schema': {
      const schema = format.json_schema?.schema
      if (schema != null) return {what: 'JSON schema', param, grammar: () => schemaGrammar(schema)}
      const message =
        "When response_format type is 'json_schema', the 'json_schema' field must be provided, and hold a 'schema'."
      throw new ApiError(400, message, param)
    }
    case 'structural_tag':
      throw missing('response_format structural_tag', param)
    default:
      throw new ApiError(400, `response_format type ${JSON.stringify(format?.type)} is unknown`, param)
  }
}

function formOfConstraint({structured_outputs: constraint}: SamplingFields): Form | null {
  const param = 'structured_outputs'
  if (!constraint) return null
  const asked = KINDS.filter(kind => constraint[kind] != null)
  if (asked.length !== 1) {
    const message = `You must use exactly one kind of structured outputs constraint of ${KINDS.join(', ')}; got ${asked.length}.`
    throw new ApiError(400, message, param)
  }
  const {json, regex, choice: choices} = constraint
  if (json != null) return {what: 'JSON schema', param, grammar: () => schemaGrammar(readSchema(json, param))}
  if (regex != null) return {what: 'regex', param, grammar: () => patternGrammar(regex, false)}
  if (choices != null) {
    if (choices.length === 0) throw new ApiError(400, 'choice must hold at least one text', param)
    return {what: 'choice', param, grammar: () => choice(choices)}
  }
  if (constraint.json_object != null) {
    if (constraint.json_object) return {what: 'json_object', param, grammar: anyObjectGrammar}
    throw new ApiError(400, 'json_object can only be true', param)
  }
  throw missing(`structured_outputs ${asked[0]!}`, param)
}

/** A schema may come as text, as vLLM has it. */
function readSchema(json: unknown, param: string): unknown {
  if (typeof json !== 'string') return json
  try {
    return JSON.parse(json) as unknown
  } catch (error) {
    throw new ApiError(400, `Invalid JSON schema: ${(error as Error).message}`, param)
  }
}

function missing(what: string, param: string): ApiError {
  return new ApiError(501, `${what} is not implemented by kvctl's embedded engine.`, param)
}
