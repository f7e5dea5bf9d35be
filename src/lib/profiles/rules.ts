import {parseQuantity} from '../foundation/index.js'
import {gib, kvNeed, usableBytes, weightShare, type KnownModel} from './kv-need.js'
import type {Profile} from './profile.js'

/** What a rule has to say about a profile that is well-formed. */
export interface Finding {
  readonly level: 'error' | 'warning'
  /** Stable name of the rule. */
  readonly rule: string
  readonly message: string
}

export interface RuleContext {
  /** Memory of the smallest GPU in GB; null when unknown. */
  readonly gpuMemoryGb: number | null
  /** null when the model's shape is unknown. */
  readonly model?: KnownModel | null
  /** Length of each prompt. */
  readonly promptTokens?: number
}

const USUAL_PROMPT_TOKENS = 128

type Rule = (profile: Profile, context: RuleContext) => Omit<Finding, 'rule'> | null

const MANY_TOKENS = 2048
/** Gigabytes of weights at two bytes a parameter. */
const FP16_WEIGHTS_GB: Readonly<Record<string, number>> = {'7b': 14, '13b': 26, '34b': 65, '70b': 140}

/** @see vllm-project/vllm:vllm/model_executor/layers/quantization/__init__.py */
const VLLM_QUANTIZATIONS: ReadonlySet<string> = new Set([
  ...[
    'aqlm',
    'auto-round',
    'awq',
    'awq_marlin',
    'bitblas',
    'bitsandbytes',
    'compressed-tensors',
    'deepgemm_fp8',
  ],
  ...[
    'deepspeedfp',
    'experts_int8',
    'fbgemm_fp8',
    'fp8',
    'gguf',
    'gptq',
    'gptq_bitblas',
    'gptq_marlin',
    'hqq',
  ],
  ...[
    'gptq_marlin_24',
    'inc',
    'ipex',
    'marlin',
    'modelopt',
    'modelopt_fp4',
    'moe_wna16',
    'mxfp4',
    'neuron_quant',
  ],
  ...['petit_nvfp4', 'ptpc_fp8', 'qqq', 'quark', 'rtn', 'torchao', 'tpu_int8'],
])

const error = (message: string): Omit<Finding, 'rule'> => ({level: 'error', message})
const warning = (message: string): Omit<Finding, 'rule'> => ({level: 'warning', message})

/**
 * The checks of a profile, in the order in which they are reported.
 *
 * @see Siryoos/kserve-vllm-mini:scripts/validate_config.py — the first nine
 */
const RULES: Readonly<Record<string, Rule>> = {
  'scheduler-needs-max-tokens': ({vllm_features: features, request}) => {
    const steps = features['num_scheduler_steps']
    const isMultiStep = typeof steps === 'number' && steps > 1
    const isOn = ['enable_chunked_prefill', 'use_v2_block_manager'].some(name => features[name] === true)
    return (isMultiStep || isOn) && request.max_tokens === undefined
      ? error('multi-step scheduling, chunked prefill and the v2 block manager need request.max_tokens')
      : null
  },
  'fp8-needs-hopper': ({vllm_features: {quantization}}) =>
    quantization === 'fp8' ? warning('fp8 needs H100, H800 or newer GPUs') : null,
  'quantized-weights': ({vllm_features: {quantization}}) =>
    quantization === 'awq' || quantization === 'gptq'
      ? warning(`${quantization} needs weights that were quantized with it`)
      : null,
  'quantization-known': ({vllm_features: {quantization}}) =>
    quantization !== undefined && !VLLM_QUANTIZATIONS.has(quantization)
      ? warning(`quantization ${quantization} is no method that vLLM is known to have`)
      : null,
  'quantization-compatible': ({vllm_features: {quantization}, model_requirements: requirements}) => {
    const formats = requirements?.compatible_formats
    return quantization !== undefined && formats !== undefined && !formats.includes(quantization)
      ? error(`quantization ${quantization} is none of the model's formats (${formats.join(', ')})`)
      : null
  },
  'cpu-device': ({vllm_features: features}) =>
    isOnCpu(features) ? warning('a CPU is slow: figures say little about a GPU') : null,
  'concurrency-within-requests': ({load_test: {requests, concurrency}}) =>
    requests !== undefined && concurrency !== undefined && concurrency > requests
      ? warning(`concurrency ${concurrency} is more than the ${requests} requests`)
      : null,
  'many-tokens': ({request: {max_tokens: tokens}}) =>
    tokens !== undefined && tokens > MANY_TOKENS ? warning(`max_tokens ${tokens} makes a long run`) : null,
  'single-user': ({load_test: {concurrency}}) =>
    concurrency !== undefined && concurrency <= 1 ? warning('a concurrency of 1 shows no batching') : null,
  'weights-fit': ({vllm_features: {quantization}, validation_hints: hints}, {gpuMemoryGb}) => {
    const fp16 = FP16_WEIGHTS_GB[hints?.model_size_hint?.toLowerCase() ?? '']
    if (gpuMemoryGb === null || fp16 === undefined) return null
    const needed = Math.floor(weightsGb(fp16, quantization) * 1.2)
    return needed > gpuMemoryGb
      ? error(`the model needs about ${needed} GB; the GPU has ${gpuMemoryGb} GB`)
      : null
  },
  'kv-cache-fits': (profile, {gpuMemoryGb, model = null, promptTokens = USUAL_PROMPT_TOKENS}) => {
    const usable = usableBytes(profile, gpuMemoryGb)
    if (usable === null || model === null) return null
    const weights = model.weightBytes * weightShare(profile.vllm_features.quantization)
    const kv = kvNeed(profile, model, promptTokens)
    return weights + kv.bytes > usable
      ? error(
          `${model.name} needs about ${gib(weights)} for weights and ${gib(kv.bytes)} for the KV cache of ${kv.tokens} tokens; vLLM may use ${gib(usable)}`,
        )
      : null
  },
  'cpu-without-speculation': ({vllm_features: features}) =>
    isOnCpu(features) && features.speculative_model !== undefined
      ? error('speculative decoding does not run on a CPU')
      : null,
  'cpu-without-quantization': ({vllm_features: features}) =>
    isOnCpu(features) && features.quantization !== undefined
      ? error('quantized weights do not run on a CPU')
      : null,
  'requests-within-limits': ({resources: {requests, limits}}) => {
    const name = Object.keys(requests ?? {}).find(
      key => limits?.[key] !== undefined && parseQuantity(requests![key]!) > parseQuantity(limits[key]),
    )
    return name === undefined ? null : error(`resources.requests of ${name} is more than its limit`)
  },
  'tensor-parallel-fits': ({vllm_features: {tensor_parallel_size: size}, resources: {limits}}) => {
    const gpus = limits?.['nvidia.com/gpu']
    return size !== undefined && gpus !== undefined && size > parseQuantity(gpus)
      ? error(`tensor_parallel_size ${size} is more than the ${parseQuantity(gpus)} GPUs`)
      : null
  },
  'validation-agrees': ({validation: {min_success_rate: success, max_error_rate: failure}}) =>
    success !== undefined && failure !== undefined && Math.abs(success + failure - 1) > 1e-9
      ? warning(
          `min_success_rate ${success} and max_error_rate ${failure} do not add up to 1; the stricter one decides`,
        )
      : null,
}

/** Warnings first, then errors. */
export function checkProfile(profile: Profile, context: RuleContext = {gpuMemoryGb: null}): Finding[] {
  const findings = Object.entries(RULES).flatMap(([rule, check]) => {
    const finding = check(profile, context)
    return finding ? [{rule, ...finding}] : []
  })
  return [
    ...findings.filter(({level}) => level === 'warning'),
    ...findings.filter(({level}) => level === 'error'),
  ]
}

function isOnCpu(features: Profile['vllm_features']): boolean {
  return features['device'] === 'cpu'
}

function weightsGb(fp16Gb: number, quantization: string | undefined): number {
  const share = weightShare(quantization)
  return share === 1 / 4 ? Math.max(4, Math.floor(fp16Gb / 4)) : fp16Gb * share
}
