import {
  findGpu,
  findModel,
  LINEAR_DEFAULTS,
  type EngineOptions,
  type ModelShape,
  type TimingOptions,
} from '../lib/engine/index.js'
import {ConfigurationError} from '../lib/foundation/index.js'

/** The flags of `kvctl engine` that shape the engine, as typed; undefined where not given. */
export interface EngineFlags {
  readonly model: string | undefined
  readonly servedModelNames: readonly string[]
  readonly maxModelLen: string | undefined
  readonly blockSize: number
  readonly numGpuBlocks: number
  readonly maxNumSeqs: number
  readonly maxNumBatchedTokens: number
  readonly longPrefillTokenThreshold: number
  readonly enablePrefixCaching: boolean
  readonly enableChunkedPrefill: boolean
  readonly schedulingPolicy: 'fcfs' | 'priority'
  readonly seed: number
  readonly timing: 'constant' | 'linear' | 'roofline' | undefined
  readonly ttftMs: number | undefined
  readonly itlMs: number | undefined
  readonly gpuType: string
  readonly tensorParallelSize: number
  readonly kvCacheDtype: string
  readonly speedup: number
  readonly jitter: number
  readonly meanAnswerTokens: number
  readonly verifyKv: boolean
}

/** What is to be served and how. */
export interface EngineSettings {
  readonly names: readonly [string, ...string[]]
  readonly root: string
  readonly engine: Partial<EngineOptions>
  /** Labels of `vllm:cache_config_info`, as vLLM's Python would print them. */
  readonly cacheConfig: Readonly<Record<string, string>>
  /** What is simulated and by which constants, for `/server_info` and `kvctl_engine_info`. */
  readonly info: Readonly<Record<string, string>>
}

const DEFAULT_MODEL = 'meta-llama/Llama-3.1-8B-Instruct'
/** A context nobody asked for should not need more memory than a small machine has. */
const LONGEST_DEFAULT = 32_768

/**
 * Pure: flags to settings, every default filled in.
 *
 * @param local the shape of a model whose config.json was given; null for one of the model table
 * @param hashSeed start of the prefix hash chain, as vLLM takes it from `PYTHONHASHSEED`; null is random
 * @throws ConfigurationError for names that are not known and lengths that do not fit
 */
export function engineSettings(
  flags: EngineFlags,
  local: ModelShape | null,
  hashSeed: string | null,
): EngineSettings {
  const root = flags.model ?? DEFAULT_MODEL
  const timing = timingOptions(flags, local, root)
  const shape = timing.mode === 'roofline' ? timing.model : local
  const maxModelLen = modelLength(flags, shape)
  const python = (value: boolean): string => (value ? 'True' : 'False')
  return {
    names: [flags.servedModelNames[0] ?? root, ...flags.servedModelNames.slice(1)],
    root,
    engine: {
      numBlocks: flags.numGpuBlocks,
      blockSize: flags.blockSize,
      maxModelLen,
      maxNumSeqs: flags.maxNumSeqs,
      maxNumBatchedTokens: flags.maxNumBatchedTokens,
      longPrefillTokenThreshold: flags.longPrefillTokenThreshold,
      enableChunkedPrefill: flags.enableChunkedPrefill,
      enablePrefixCaching: flags.enablePrefixCaching,
      policy: flags.schedulingPolicy,
      hashSeed,
      timing,
      pace: {speedup: flags.speedup, jitter: flags.jitter, seed: flags.seed, ingressMs: 0},
      meanAnswerTokens: flags.meanAnswerTokens,
      verifyKv: flags.verifyKv,
    },
    cacheConfig: {
      block_size: String(flags.blockSize),
      cache_dtype: flags.kvCacheDtype,
      enable_prefix_caching: python(flags.enablePrefixCaching),
      gpu_memory_utilization: 'None',
      num_gpu_blocks: String(flags.numGpuBlocks),
      num_gpu_blocks_override: String(flags.numGpuBlocks),
      prefix_caching_hash_algo: 'sha256_cbor',
      kv_cache_size_tokens: String((flags.numGpuBlocks - 1) * flags.blockSize),
    },
    info: {
      ...timingInfo(timing),
      speedup: String(flags.speedup),
      jitter: String(flags.jitter),
      seed: String(flags.seed),
      sampling:
        'deterministic: greedy at temperature 0, else by seed; no other sampling parameter has an effect',
    },
  }
}

function timingOptions(flags: EngineFlags, local: ModelShape | null, root: string): TimingOptions {
  const asksConstant = flags.ttftMs !== undefined || flags.itlMs !== undefined
  const mode = flags.timing ?? (asksConstant ? 'constant' : 'roofline')
  if (asksConstant && mode !== 'constant') {
    throw new ConfigurationError('USAGE', `--ttft-ms and --itl-ms have no meaning with --timing ${mode}`)
  }
  if (mode === 'constant') {
    return {mode, ttftMs: flags.ttftMs ?? 0, itlMs: flags.itlMs ?? 0, prefillMsPerToken: 0}
  }
  if (mode === 'linear') return {mode, ...LINEAR_DEFAULTS}
  return {
    mode,
    model: local ?? findModel(root),
    gpu: findGpu(flags.gpuType),
    tensorParallel: flags.tensorParallelSize,
    weightBytes: 2,
    kvBytes: flags.kvCacheDtype.startsWith('fp8') ? 1 : 2,
  }
}

function timingInfo(timing: TimingOptions): Record<string, string> {
  if (timing.mode === 'roofline') {
    const {model, gpu, tensorParallel, weightBytes, kvBytes} = timing
    const numbers = {tensor_parallel: tensorParallel, weight_bytes: weightBytes, kv_bytes: kvBytes}
    const texts = Object.entries(numbers).map(([name, value]) => [name, String(value)])
    return {
      timing: 'roofline',
      timing_model: model.name,
      timing_gpu: gpu.name,
      ...(Object.fromEntries(texts) as object),
    }
  }
  const {mode, ...constants} = timing
  return {timing: mode, timing_constants: JSON.stringify(constants)}
}

function modelLength(flags: EngineFlags, shape: ModelShape | null): number {
  const capacity = (flags.numGpuBlocks - 1) * flags.blockSize
  const asked = flags.maxModelLen
  if (asked === undefined || asked.toLowerCase() === 'auto') {
    return Math.min(shape?.maxContext ?? LONGEST_DEFAULT, LONGEST_DEFAULT, capacity)
  }
  const length = parseTokenCount(asked)
  if (length > capacity) {
    throw new ConfigurationError(
      'MODEL_LENGTH_INVALID',
      `--max-model-len ${asked} is ${length} tokens, but the KV cache holds ${capacity}`,
      {suggestions: ['raise --num-gpu-blocks-override, or lower --max-model-len']},
    )
  }
  return length
}

const MULTIPLES: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  K: 2 ** 10,
  m: 1e6,
  M: 2 ** 20,
  g: 1e9,
  G: 2 ** 30,
}

/**
 * A count as vLLM's flags take it: `4096`, `32k` (32,000), `32K` (32,768), `1.5k`.
 *
 * @throws ConfigurationError `TOKEN_COUNT_INVALID`
 * @see vllm-project/vllm:vllm/engine/arg_utils.py — human_readable_int
 */
export function parseTokenCount(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kKmMgG]?)$/.exec(text.trim())
  const count = match ? Number(match[1]) * MULTIPLES[match[2]!]! : 0
  if (!Number.isInteger(count) || count < 1) {
    throw new ConfigurationError('TOKEN_COUNT_INVALID', `'${text}' is not a number of tokens`, {
      suggestions: ['write 4096, 32k (32,000) or 32K (32,768)'],
    })
  }
  return count
}
