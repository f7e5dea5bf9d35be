import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {expect} from 'chai'
import {findModel, readModelConfig} from '../../../src/lib/engine/index.js'
import {modelFromConfig} from '../../../src/lib/engine/core/catalog/config-json.js'
import {ConfigurationError} from '../../../src/lib/foundation/index.js'
import {rejection} from '../../support/rejection.js'

const LLAMA = {
  num_hidden_layers: 32,
  hidden_size: 4096,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  intermediate_size: 14336,
  vocab_size: 128256,
  tie_word_embeddings: false,
  max_position_embeddings: 131072,
  torch_dtype: 'bfloat16',
}
const GEMMA = {
  model_type: 'gemma3',
  vision_config: {hidden_size: 1152},
  text_config: {
    model_type: 'gemma3_text',
    num_hidden_layers: 34,
    hidden_size: 2560,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 256,
    intermediate_size: 10240,
    vocab_size: 262144,
    max_position_embeddings: 131072,
    sliding_window: 1024,
    sliding_window_pattern: 6,
  },
}
const QWEN_MOE = {
  num_hidden_layers: 48,
  hidden_size: 2048,
  num_attention_heads: 32,
  num_key_value_heads: 4,
  head_dim: 128,
  intermediate_size: 6144,
  moe_intermediate_size: 768,
  num_experts: 128,
  num_experts_per_tok: 8,
  vocab_size: 151936,
  tie_word_embeddings: false,
  max_position_embeddings: 40960,
  sliding_window: null,
  use_sliding_window: false,
}
const DEEPSEEK = {
  num_hidden_layers: 61,
  hidden_size: 7168,
  num_attention_heads: 128,
  num_key_value_heads: 128,
  head_dim: 128,
  intermediate_size: 18432,
  moe_intermediate_size: 2048,
  n_routed_experts: 256,
  n_shared_experts: 1,
  num_experts_per_tok: 8,
  first_k_dense_replace: 3,
  kv_lora_rank: 512,
  q_lora_rank: 1536,
  qk_rope_head_dim: 64,
  qk_nope_head_dim: 128,
  v_head_dim: 128,
  vocab_size: 129280,
  max_position_embeddings: 163840,
}
const layer_types = Array.from({length: 24}, (_, index) =>
  index % 2 === 0 ? 'sliding_attention' : 'full_attention',
)
const GPT_OSS = {
  num_hidden_layers: 24,
  hidden_size: 2880,
  num_attention_heads: 64,
  num_key_value_heads: 8,
  head_dim: 64,
  intermediate_size: 2880,
  num_local_experts: 32,
  num_experts_per_tok: 4,
  vocab_size: 201088,
  max_position_embeddings: 131072,
  sliding_window: 128,
  layer_types,
}

describe("a model's config.json", () => {
  const families: [string, object][] = [
    ['Llama-3.1-8B', LLAMA],
    ['Gemma-3-4B', GEMMA],
    ['Qwen3-30B-A3B', QWEN_MOE],
    ['DeepSeek-V3', DEEPSEEK],
    ['gpt-oss-20b', GPT_OSS],
  ]
  for (const [name, config] of families) {
    it(`gives ${name} the shape that the model table has`, () => {
      const known = Object.entries(findModel(name)).filter(([key]) => key !== 'weightsGiB')
      expect(modelFromConfig(config, name)).to.deep.equal({...Object.fromEntries(known), aliases: []})
    })
  }

  it('counts heads and their width from the others where it leaves them out', () => {
    expect(modelFromConfig({...LLAMA, num_key_value_heads: null}, 'x')).to.include({
      kvHeads: 32,
      headDim: 4096 / 32,
    })
  })

  it('weighs quantized weights by their bits', () => {
    const parameters = 2 * 4096 * 128256 + 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336)
    const weights = (more: object): number | undefined => modelFromConfig({...LLAMA, ...more}, 'x').weightsGiB
    expect(weights({})).to.equal(undefined)
    expect(weights({quantization_config: {quant_method: 'awq', bits: 4}})).to.equal(parameters / 2 / 2 ** 30)
    expect(weights({quantization_config: {quant_method: 'fp8'}})).to.equal(parameters / 2 ** 30)
    expect(weights({torch_dtype: 'float32'})).to.equal((parameters * 4) / 2 ** 30)
  })

  for (const key of [
    'num_hidden_layers',
    'hidden_size',
    'num_attention_heads',
    'intermediate_size',
    'vocab_size',
    'max_position_embeddings',
  ]) {
    it(`is refused without ${key}, by that name`, () => {
      const rest = Object.fromEntries(Object.entries(LLAMA).filter(([one]) => one !== key))
      expect(() => modelFromConfig(rest, 'my/model')).to.throw(
        ConfigurationError,
        `my/model: '${key}' is missing`,
      )
    })
  }

  const wrong: [string, unknown, RegExp][] = [
    ['is a list', [], /no JSON object/],
    ['has a number as text', {...LLAMA, hidden_size: '4096'}, /'hidden_size' is "4096", not a whole number/],
    ['has no layers', {...LLAMA, num_hidden_layers: 0}, /'num_hidden_layers' is 0/],
    ['has layers of another kind', {...LLAMA, layer_types: ['linear_attention']}, /"linear_attention"/],
    ['has experts without their use', {...LLAMA, num_experts: 8}, /'num_experts_per_tok' is missing/],
    ['is packed in an unknown way', {...LLAMA, quantization_config: {quant_method: 'x'}}, /method "x"/],
  ]
  for (const [what, config, message] of wrong) {
    it(`is refused when it ${what}`, () => {
      expect(() => modelFromConfig(config, 'x')).to.throw(ConfigurationError, message)
    })
  }

  it('is read from its file or folder; any other text is left to the model table', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kvctl-model-'))
    try {
      const file = join(folder, 'config.json')
      expect(await readModelConfig(folder)).to.equal(null)
      expect(await readModelConfig('Qwen/Qwen3-8B')).to.equal(null)
      expect(await rejection(readModelConfig(file)))
        .to.have.property('message')
        .that.includes('there is no such file')
      writeFileSync(file, JSON.stringify(LLAMA))
      expect((await readModelConfig(file))?.layers).to.equal(32)
      expect((await readModelConfig(folder))?.name).to.equal(folder)
      writeFileSync(file, '{')
      expect(await rejection(readModelConfig(folder))).to.be.instanceOf(ConfigurationError)
    } finally {
      rmSync(folder, {recursive: true})
    }
  })
})
