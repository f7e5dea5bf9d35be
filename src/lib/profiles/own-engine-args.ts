import type {Profile} from './profile.js'

const KV_TYPES = new Set(['auto', 'bfloat16', 'fp8', 'fp8_e4m3', 'fp8_e5m2'])
const TOOL_PARSERS = new Set(['hermes', 'llama3_json'])

/**
 * Arguments for kvctl's own engine that a profile's `vllm_features` ask for; what that engine does not have (weights, drafts,
 * devices) is left out.
 */
export function ownEngineArgs(features: Profile['vllm_features']): string[] {
  const {enable_auto_tool_choice: choosesTools, tool_call_parser: parser} = features
  const {kv_cache_dtype: kvType, max_model_len: longest} = features
  const toggled = ['enable_prefix_caching', 'enable_chunked_prefill'].flatMap(name => {
    const flag = name.replaceAll('_', '-')
    return typeof features[name] === 'boolean' ? [features[name] ? `--${flag}` : `--no-${flag}`] : []
  })
  return [
    ...toggled,
    ...(choosesTools === true && parser !== undefined && TOOL_PARSERS.has(parser)
      ? ['--enable-auto-tool-choice', '--tool-call-parser', parser]
      : []),
    ...(typeof kvType === 'string' && KV_TYPES.has(kvType) ? ['--kv-cache-dtype', kvType] : []),
    ...(typeof longest === 'number' ? ['--max-model-len', String(longest)] : []),
  ]
}
