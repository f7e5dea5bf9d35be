import type {Profile} from '../profiles/index.js'

/** Arguments of vLLM, and what of the profile has become something else. */
export interface ServerFlags {
  readonly args: readonly string[]
  /** One line each, for stderr. */
  readonly notes: readonly string[]
}

type Features = Profile['vllm_features']

/** Keys that say how the server is set up and not with which flag. */
const ELSEWHERE = new Set([
  'speculative_model',
  'num_speculative_tokens',
  'guided_decoding_backend',
  'device',
])
/** Flags of vLLM that current versions do not have. */
const GONE: Readonly<Record<string, string>> = {
  use_v2_block_manager: 'has no effect any more',
  num_scheduler_steps: 'was a flag of vLLM V0 alone',
  quantization_param_path: 'is no flag of current vLLM',
}

/**
 * Pure: `vllm_features` of a profile as arguments of a current vLLM: `snake_case` becomes `--kebab-case=value`, true a bare flag,
 * false nothing; what vLLM has renamed has its new name.
 *
 * @see vllm-project/vllm:vllm/engine/arg_utils.py
 */
export function serverFlags(features: Features): ServerFlags {
  const args: string[] = []
  const notes: string[] = []
  for (const [key, value] of Object.entries(features)) {
    const gone = GONE[key]
    if (gone !== undefined) notes.push(`${key} ${gone} and is left out`)
    else if (key === 'load_in_8bit') {
      if (value === true && features.quantization === undefined) args.push('--quantization=bitsandbytes')
      notes.push('load_in_8bit is no flag of current vLLM: --quantization=bitsandbytes stands for it')
    } else if (!ELSEWHERE.has(key)) args.push(...flag(key, value))
  }
  return {args: [...args, ...speculation(features), ...guidance(features)], notes}
}

function flag(key: string, value: string | number | boolean | undefined): string[] {
  if (value === undefined || value === false || value === '') return []
  const name = `--${key.replaceAll('_', '-')}`
  return [value === true ? name : `${name}=${String(value)}`]
}

function speculation({speculative_model: model, num_speculative_tokens: count}: Features): string[] {
  if (model === undefined) return []
  const config = {model, ...(count !== undefined && {num_speculative_tokens: count})}
  return [`--speculative-config=${JSON.stringify(config)}`]
}

function guidance({guided_decoding_backend: backend}: Features): string[] {
  return backend === undefined ? [] : [`--structured-outputs-config.backend=${backend}`]
}
