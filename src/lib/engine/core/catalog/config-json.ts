import {ConfigurationError} from '../../../foundation/index.js'
import {parameterCount, type ModelShape} from './model-shape.js'

type Keys = Readonly<Record<string, unknown>>

/**
 * Pure: a model's dimensions from its Hugging Face `config.json`; multimodal ones keep them under `text_config`.
 *
 * @param name what the model shall be called; also begins every error
 * @throws ConfigurationError `MODEL_CONFIG_INVALID` that names the key which is missing or cannot be read
 * @see huggingface/transformers:src/transformers/models — each family's `configuration_*.py`, its keys and their defaults
 */
export function modelFromConfig(config: unknown, name: string): ModelShape {
  if (!isKeys(config)) throw invalid(name, 'it is no JSON object')
  const outer = config
  const text = isKeys(outer['text_config']) ? outer['text_config'] : outer
  const read = reader({...outer, ...text}, name)
  const layers = read.count('num_hidden_layers')
  const heads = read.count('num_attention_heads')
  const hidden = read.count('hidden_size')
  const experts = readExperts(read)
  const shape: ModelShape = {
    name,
    aliases: [],
    layers,
    hidden,
    heads,
    kvHeads: read.optional('num_key_value_heads') ?? heads,
    headDim: read.optional('head_dim') ?? equalShare(hidden, heads, read),
    ffn: experts ? (read.optional('intermediate_size') ?? experts.ffn) : read.count('intermediate_size'),
    vocabulary: read.count('vocab_size'),
    isTied: isTied(read),
    maxContext: read.count('max_position_embeddings'),
    ...(experts && {experts}),
    ...withWindow(read, layers),
    ...withLatent(read),
  }
  const bytes = weightBytes(read)
  return bytes === 2 ? shape : {...shape, weightsGiB: (parameterCount(shape) * bytes) / 2 ** 30}
}

function equalShare(hidden: number, heads: number, read: Reader): number {
  if (hidden % heads === 0) return hidden / heads
  throw read.wrong("'head_dim' is missing, and the heads do not share 'hidden_size' equally")
}

interface Reader {
  readonly keys: Keys
  count(key: string): number
  /** Null where the key is missing or null. */
  optional(...keys: string[]): number | null
  wrong(message: string): ConfigurationError
}

function reader(keys: Keys, name: string): Reader {
  const read = (key: string): number => {
    const value = keys[key]
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
    throw invalid(name, `'${key}' is ${JSON.stringify(value)}, not a whole number`)
  }
  const optional = (...names: string[]): number | null => {
    const key = names.find(one => keys[one] != null)
    return key === undefined ? null : read(key)
  }
  return {
    keys,
    optional,
    count(key) {
      const value = optional(key)
      if (value === null) throw invalid(name, `'${key}' is missing`)
      if (value === 0) throw invalid(name, `'${key}' is 0`)
      return value
    },
    wrong: message => invalid(name, message),
  }
}

function readExperts(read: Reader): ModelShape['experts'] {
  const count = read.optional('num_experts', 'num_local_experts', 'n_routed_experts')
  if (count === null || count === 0) return undefined
  return {
    count,
    activePerToken: read.count('num_experts_per_tok'),
    ffn: read.optional('moe_intermediate_size') ?? read.count('intermediate_size'),
    shared: read.optional('n_shared_experts') ?? 0,
    denseLayers: read.optional('first_k_dense_replace') ?? 0,
  }
}

/** Gemma ties its embeddings unless it says otherwise; the other families do not. */
function isTied({keys}: Reader): boolean {
  const {tie_word_embeddings: said, model_type: family} = keys
  return typeof said === 'boolean' ? said : typeof family === 'string' && family.startsWith('gemma')
}

function withWindow(read: Reader, layers: number): Pick<ModelShape, 'window'> {
  const {keys} = read
  const types = keys['layer_types']
  const listed = Array.isArray(types) ? (types as unknown[]) : null
  const unknown = listed?.find(type => type !== 'full_attention' && type !== 'sliding_attention')
  if (unknown !== undefined)
    throw read.wrong(`'layer_types' names ${JSON.stringify(unknown)}, which has no timing model`)
  const tokens = read.optional('sliding_window')
  if (tokens === null || tokens === 0 || keys['use_sliding_window'] === false) return {}
  const pattern = read.optional('sliding_window_pattern')
  const windowed = listed
    ? listed.filter(type => type === 'sliding_attention').length
    : layers - (pattern ? Math.floor(layers / pattern) : 0)
  return windowed === 0 ? {} : {window: {tokens, layers: windowed}}
}

function withLatent(read: Reader): Pick<ModelShape, 'latent'> {
  const rank = read.optional('kv_lora_rank')
  if (rank === null) return {}
  return {
    latent: {
      rank,
      rope: read.count('qk_rope_head_dim'),
      queryRank: read.count('q_lora_rank'),
      keyDim: read.count('qk_nope_head_dim'),
      valueDim: read.count('v_head_dim'),
    },
  }
}

/** Of one parameter. MXFP4 has one scale byte to 32 values of half a byte. */
function weightBytes(read: Reader): number {
  const quantization = read.keys['quantization_config']
  if (isKeys(quantization)) {
    const method = quantization['quant_method']
    const bits = quantization['bits']
    if (typeof bits === 'number' && bits > 0) return bits / 8
    if (method === 'fp8') return 1
    if (method === 'mxfp4') return 0.5 + 1 / 32
    throw read.wrong(
      `'quantization_config' has the method ${JSON.stringify(method)}, whose weights have no known size`,
    )
  }
  const type = read.keys['dtype'] ?? read.keys['torch_dtype']
  return type === 'float32' ? 4 : 2
}

function isKeys(value: unknown): value is Keys {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(name: string, message: string): ConfigurationError {
  return new ConfigurationError('MODEL_CONFIG_INVALID', `${name}: ${message}`)
}
