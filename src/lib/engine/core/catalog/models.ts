import type {ModelShape} from './model-shape.js'

/** Dimensions from each model's `config.json` on Hugging Face (the repository is the first alias). */
export const MODELS: readonly ModelShape[] = [
  dense(
    'Llama-3.2-1B',
    'meta-llama/Llama-3.2-1B-Instruct',
    [16, 2048, 32, 8, 64, 8192, 128256],
    true,
    131072,
  ),
  dense(
    'Llama-3.2-3B',
    'meta-llama/Llama-3.2-3B-Instruct',
    [28, 3072, 24, 8, 128, 8192, 128256],
    true,
    131072,
  ),
  dense(
    'Llama-3.1-8B',
    'meta-llama/Llama-3.1-8B-Instruct',
    [32, 4096, 32, 8, 128, 14336, 128256],
    false,
    131072,
  ),
  dense(
    'Llama-3.1-70B',
    'meta-llama/Llama-3.1-70B-Instruct',
    [80, 8192, 64, 8, 128, 28672, 128256],
    false,
    131072,
  ),
  dense(
    'Llama-3.3-70B',
    'meta-llama/Llama-3.3-70B-Instruct',
    [80, 8192, 64, 8, 128, 28672, 128256],
    false,
    131072,
  ),
  dense(
    'Mistral-7B-v0.3',
    'mistralai/Mistral-7B-Instruct-v0.3',
    [32, 4096, 32, 8, 128, 14336, 32768],
    false,
    32768,
  ),
  dense('Qwen2.5-0.5B', 'Qwen/Qwen2.5-0.5B-Instruct', [24, 896, 14, 2, 64, 4864, 151936], true, 32768),
  dense('Qwen2.5-7B', 'Qwen/Qwen2.5-7B-Instruct', [28, 3584, 28, 4, 128, 18944, 152064], false, 32768),
  dense('Qwen3-0.6B', 'Qwen/Qwen3-0.6B', [28, 1024, 16, 8, 128, 3072, 151936], true, 40960),
  dense('Qwen3-8B', 'Qwen/Qwen3-8B', [36, 4096, 32, 8, 128, 12288, 151936], false, 40960),
  dense('Qwen3-32B', 'Qwen/Qwen3-32B', [64, 5120, 64, 8, 128, 25600, 151936], false, 40960),
  {
    ...dense('Qwen3-30B-A3B', 'Qwen/Qwen3-30B-A3B', [48, 2048, 32, 4, 128, 6144, 151936], false, 40960),
    experts: {count: 128, activePerToken: 8, ffn: 768, shared: 0, denseLayers: 0},
  },
  {
    ...dense('Gemma-3-1B', 'google/gemma-3-1b-it', [26, 1152, 4, 1, 256, 6912, 262144], true, 32768),
    window: {tokens: 512, layers: 22},
  },
  {
    ...dense('Gemma-3-4B', 'google/gemma-3-4b-it', [34, 2560, 8, 4, 256, 10240, 262144], true, 131072),
    window: {tokens: 1024, layers: 29},
  },
  {
    ...dense('Gemma-3-12B', 'google/gemma-3-12b-it', [48, 3840, 16, 8, 256, 15360, 262144], true, 131072),
    window: {tokens: 1024, layers: 40},
  },
  {
    ...dense('Gemma-3-27B', 'google/gemma-3-27b-it', [62, 5376, 32, 16, 128, 21504, 262144], true, 131072),
    window: {tokens: 1024, layers: 52},
  },
  {
    ...dense('gpt-oss-20b', 'openai/gpt-oss-20b', [24, 2880, 64, 8, 64, 2880, 201088], false, 131072),
    experts: {count: 32, activePerToken: 4, ffn: 2880, shared: 0, denseLayers: 0},
    window: {tokens: 128, layers: 12},
    weightsGiB: 13,
  },
  {
    ...dense('gpt-oss-120b', 'openai/gpt-oss-120b', [36, 2880, 64, 8, 64, 2880, 201088], false, 131072),
    experts: {count: 128, activePerToken: 4, ffn: 2880, shared: 0, denseLayers: 0},
    window: {tokens: 128, layers: 18},
    weightsGiB: 61,
  },
  {
    ...dense(
      'DeepSeek-V3',
      'deepseek-ai/DeepSeek-V3',
      [61, 7168, 128, 128, 128, 18432, 129280],
      false,
      163840,
    ),
    aliases: ['deepseek-ai/DeepSeek-V3', 'deepseek-ai/DeepSeek-R1', 'DeepSeek-R1'],
    experts: {count: 256, activePerToken: 8, ffn: 2048, shared: 1, denseLayers: 3},
    latent: {rank: 512, rope: 64, queryRank: 1536, keyDim: 128, valueDim: 128},
  },
]

type Dimensions = [
  layers: number,
  hidden: number,
  heads: number,
  kvHeads: number,
  headDim: number,
  ffn: number,
  vocabulary: number,
]

function dense(
  name: string,
  repository: string,
  [layers, hidden, heads, kvHeads, headDim, ffn, vocabulary]: Dimensions,
  isTied: boolean,
  maxContext: number,
): ModelShape {
  const aliases = [repository, repository.replace(/-(?:Instruct|it)\b/, ''), repository.split('/')[1]!]
  return {name, aliases, layers, hidden, heads, kvHeads, headDim, ffn, vocabulary, isTied, maxContext}
}
