import type {Profile} from './profile.js'

/** What is known of the model that a profile is for. */
export interface KnownModel {
  readonly name: string
  /** Of all weights at two bytes a parameter. */
  readonly weightBytes: number
  /** Of one token in all layers at two bytes an element: 2 · layers · KV heads · head dimension · 2. */
  readonly kvBytesPerToken: number
}

/** KV cache that a profile's load holds when every request is at its longest. */
export interface KvNeed {
  readonly tokens: number
  readonly bytesPerToken: number
  readonly bytes: number
}

/** Tokens of an answer where neither the profile nor the server's default says. */
const USUAL_MAX_TOKENS = 64
const GIB = 2 ** 30

/**
 * KV-cache estimate: bytes a token · concurrency · (prompt + max_tokens)
 *
 * @param promptTokens of each request
 */
export function kvNeed(profile: Profile, model: KnownModel, promptTokens: number): KvNeed {
  const {load_test: load, request, vllm_features: features} = profile
  const tokens = (load.concurrency ?? 1) * (promptTokens + (request.max_tokens ?? USUAL_MAX_TOKENS))
  const isByteWide = String(features['kv_cache_dtype'] ?? '').startsWith('fp8')
  const bytesPerToken = model.kvBytesPerToken * (isByteWide ? 0.5 : 1)
  return {tokens, bytesPerToken, bytes: tokens * bytesPerToken}
}

/** `12.5 GiB` */
export function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`
}

/** Share of weights at two bytes a parameter that is left after quantization. */
export function weightShare(quantization: string | undefined): number {
  if (['awq', 'gptq', 'int4'].includes(quantization ?? '')) return 1 / 4
  return ['fp8', 'int8', 'bitsandbytes'].includes(quantization ?? '') ? 1 / 2 : 1
}

/** Bytes of GPU memory that vLLM may use on all GPUs of one engine, `null` when a GPU's memory is unknown. */
export function usableBytes({vllm_features: features}: Profile, gpuMemoryGb: number | null): number | null {
  if (gpuMemoryGb === null) return null
  const share = features.gpu_memory_utilization ?? 0.9
  return gpuMemoryGb * GIB * share * (features.tensor_parallel_size ?? 1)
}
