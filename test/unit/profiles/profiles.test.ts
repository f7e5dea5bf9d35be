import {expect} from 'chai'
import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {parseYaml} from '../../../src/lib/config/index.js'
import {
  checkProfile,
  findProfile,
  loadProfile,
  normaliseProfile,
  profileSchema,
  shippedProfiles,
  shippedProfilesFolder,
  type Profile,
} from '../../../src/lib/profiles/index.js'
import {rejection} from '../../support/rejection.js'
import {temporaryFolder} from '../../support/temporary.js'

function profileOf(text: string): Profile {
  return normaliseProfile(parseYaml(text, 'own.yaml')).profile
}

function rulesOf(text: string, gpuMemoryGb: number | null = null): string[] {
  return checkProfile(profileOf(text), {gpuMemoryGb}).map(({level, rule}) => `${level} ${rule}`)
}

describe('profiles', () => {
  const folder = temporaryFolder()

  it('have the documented values in standard', async () => {
    const {profile, warnings} = await loadProfile('standard')
    expect(warnings).to.deep.equal([])
    expect(profile).to.deep.equal({
      metadata: {name: 'standard', description: 'Standard benchmarking profile', version: '1.0'},
      load_test: {
        pattern: 'steady',
        duration_seconds: 300,
        warmup_requests: 50,
        requests: 200,
        concurrency: 10,
      },
      request: {max_tokens: 100, temperature: 0.8, top_p: 0.9, stream: true},
      vllm_features: {
        gpu_memory_utilization: 0.9,
        guided_decoding_backend: 'outlines',
        enable_auto_tool_choice: false,
      },
      resources: {
        requests: {cpu: '2000m', memory: '8Gi', 'nvidia.com/gpu': 1},
        limits: {cpu: '4000m', memory: '16Gi', 'nvidia.com/gpu': 1},
      },
      validation: {min_success_rate: 0.95, max_error_rate: 0.05, max_p95_latency_ms: 1000},
    })
  })

  it("have upstream's values in burst", async () => {
    const {profile, warnings} = await loadProfile('runners/profiles/burst.yaml')
    expect(warnings).to.deep.equal([])
    expect(profile).to.deep.equal({
      metadata: {name: 'burst', description: 'Bursts of requests on an open schedule', version: '1.0'},
      load_test: {pattern: 'bursty', requests: 300, concurrency: 25},
      request: {max_tokens: 128, stream: true},
      vllm_features: {},
      resources: {},
      validation: {min_success_rate: 0.95, max_error_rate: 0.05},
    })
  })

  it('all load, and are named after their files', async () => {
    const names = await shippedProfiles()
    expect(names).to.include.members(['standard', 'cpu-smoke', 'burst'])
    for (const name of names)
      expect((await loadProfile(name)).profile.metadata.name).to.equal(name.split('/').at(-1))
  })

  it('may be spelled flat, as upstream does, or nested', () => {
    const flat =
      'pattern: bursty\nrequests: 300\nconcurrency: 25\nmax_tokens: 128\nvllm_features: {quantization: awq}\n'
    const nested =
      'load_test: {pattern: bursty, requests: 300, concurrency: 25}\nrequest: {max_tokens: 128}\nvllm_features: {quantization: awq}\n'
    expect(profileOf(flat)).to.deep.equal(profileOf(nested))
    expect(profileOf(flat).metadata.name).to.equal('own')
  })

  it('may say one thing twice, but not two different things', () => {
    expect(profileOf('requests: 5\nload_test:\n  requests: 5\n').load_test.requests).to.equal(5)
    expect(() => profileOf('requests: 5\nload_test:\n  requests: 6\n'))
      .to.throw("own.yaml:1: 'requests' and 'load_test.requests' (line 3) differ")
      .with.property('exitCode', 2)
  })

  it('take null as not set', () => {
    expect(profileOf('vllm_features:\n  quantization: null\nrequests: null\n')).to.deep.equal(
      profileOf('metadata: {}'),
    )
  })

  it('read the JSON text of an upstream test_schema', () => {
    expect(profileOf('test_schema: \'{"type": "object"}\'\n').request.schema).to.deep.equal({type: 'object'})
    expect(() => profileOf('max_tokens: 5\ntest_schema: "{"\n')).to.throw(
      /^own\.yaml:2: test_schema is not JSON/,
    )
  })

  it('are told from files that are something else', () => {
    expect(() => normaliseProfile(parseYaml('{"run_id": 1, "hello": 2}', 'results.json'))).to.throw(
      /^results\.json:1: this is no profile: it has only run_id, hello/,
    )
  })

  it('keep text for people and name unknown keys with their line', () => {
    const {profile, warnings} = normaliseProfile(parseYaml('use_cases: [chat]\nreqests: 5\n', 'own.yaml'))
    expect(profile.notes).to.deep.equal({use_cases: ['chat']})
    expect(warnings).to.deep.equal(["own.yaml:2: unknown key 'reqests' is ignored"])
  })

  for (const [what, text, line, key] of [
    [
      'a negative number of requests',
      'metadata: {name: x}\nload_test:\n  requests: -1\n',
      3,
      'load_test.requests',
    ],
    ['a flat key out of range, at its own line', '\n\nconcurrency: 0\n', 3, 'load_test.concurrency'],
    ['an unknown pattern', 'pattern: wavy\n', 1, 'load_test.pattern'],
    ['text for a number', 'max_tokens: many\n', 1, 'request.max_tokens'],
    ['a share above 1', 'validation:\n  min_success_rate: 95\n', 2, 'validation.min_success_rate'],
    ['a misspelt key of a block', 'load_test:\n  pattern: steady\n  concurency: 5\n', 3, 'load_test'],
    ['a quantity that is none', 'resources:\n  limits:\n    memory: lots\n', 3, 'resources.limits.memory'],
    ['a block that is a list', 'load_test:\n  - requests\n', 2, 'load_test'],
  ] as const) {
    it(`refuse ${what}`, () => {
      expect(() => profileOf(text))
        .to.throw(new RegExp(`^own\\.yaml:${line}: ${key}`))
        .with.property('exitCode', 2)
    })
  }

  it('refuse what is no mapping', () => {
    expect(() => profileOf('- a\n')).to.throw('own.yaml:1: a profile is a mapping of keys')
    expect(() => profileOf('')).to.throw('a profile is a mapping of keys')
  })

  it('are found by shipped name, by path and by the path they have upstream', async () => {
    const shipped = join(shippedProfilesFolder, 'standard.yaml')
    expect(await findProfile('standard')).to.equal(shipped)
    expect(await findProfile('runners/profiles/standard.yaml')).to.equal(shipped)
    const own = join(folder(), 'runners', 'profiles', 'standard.yaml')
    mkdirSync(join(folder(), 'runners', 'profiles'), {recursive: true})
    writeFileSync(own, 'requests: 5\n')
    expect(await findProfile(own)).to.equal(own)
  })

  for (const name of ['no-such', '../package', 'quantization/../../package', '/etc/passwd/x', '']) {
    it(`do not include "${name}"`, async () => {
      const error = await rejection(findProfile(name))
      expect(error).to.include({code: 'PROFILE_NOT_FOUND', exitCode: 2})
      expect((error as {suggestions: string[]}).suggestions[0]).to.match(
        /^one of burst, cpu-smoke, .*, standard, /,
      )
    })
  }

  it('that break a rule are refused with status 5', async () => {
    const path = join(folder(), 'own.yaml')
    writeFileSync(path, 'vllm_features: {device: cpu, quantization: awq}\n')
    expect(await rejection(loadProfile(path))).to.include({code: 'PROFILE_RULE', exitCode: 5})
  })
})

describe('profile rules', () => {
  const cases: readonly (readonly [string, string, string[]])[] = [
    [
      'multi-step scheduling',
      'vllm_features: {num_scheduler_steps: 2}',
      ['error scheduler-needs-max-tokens'],
    ],
    [
      'chunked prefill',
      'vllm_features: {enable_chunked_prefill: true}',
      ['error scheduler-needs-max-tokens'],
    ],
    [
      'the v2 block manager',
      'vllm_features: {use_v2_block_manager: true}',
      ['error scheduler-needs-max-tokens'],
    ],
    ['the v2 block manager, off', 'vllm_features: {use_v2_block_manager: false}', []],
    ['chunked prefill with max_tokens', 'max_tokens: 5\nvllm_features: {enable_chunked_prefill: true}', []],
    ['one scheduler step', 'vllm_features: {num_scheduler_steps: 1}', []],
    ['fp8', 'vllm_features: {quantization: fp8}', ['warning fp8-needs-hopper']],
    ['awq', 'vllm_features: {quantization: awq}', ['warning quantized-weights']],
    ['gptq', 'vllm_features: {quantization: gptq}', ['warning quantized-weights']],
    [
      'a quantization that the model lacks',
      'vllm_features: {quantization: bitsandbytes}\nmodel_requirements: {compatible_formats: [awq]}',
      ['error quantization-compatible'],
    ],
    [
      'a quantization that the model has',
      'vllm_features: {quantization: bitsandbytes}\nmodel_requirements: {compatible_formats: [bitsandbytes]}',
      [],
    ],
    ['a misspelt quantization', 'vllm_features: {quantization: awk}', ['warning quantization-known']],
    ['a quantization of vLLM', 'vllm_features: {quantization: compressed-tensors}', []],
    ['a GPU', 'vllm_features: {device: cuda}', []],
    ['a CPU', 'vllm_features: {device: cpu}', ['warning cpu-device']],
    ['more users than requests', 'requests: 5\nconcurrency: 6', ['warning concurrency-within-requests']],
    ['as many users as requests', 'requests: 5\nconcurrency: 5', []],
    ['long answers', 'max_tokens: 2049', ['warning many-tokens']],
    ['answers of 2048 tokens', 'max_tokens: 2048', []],
    ['two users', 'concurrency: 2', []],
    ['a single user', 'concurrency: 1', ['warning single-user']],
    [
      'speculation on a CPU, the warning before the error',
      'vllm_features: {device: cpu, speculative_model: opt}',
      ['warning cpu-device', 'error cpu-without-speculation'],
    ],
    [
      'quantization on a CPU',
      'vllm_features: {device: cpu, quantization: bitsandbytes}',
      ['warning cpu-device', 'error cpu-without-quantization'],
    ],
    [
      'a request above its limit, in other units',
      'resources: {requests: {memory: 9Gi}, limits: {memory: 9000M}}', // 9·1024³ > 9·10⁹
      ['error requests-within-limits'],
    ],
    ['a request within its limit', 'resources: {requests: {cpu: 2000m}, limits: {cpu: 2}}', []],
    [
      'more shards than GPUs',
      'vllm_features: {tensor_parallel_size: 2}\nresources: {limits: {nvidia.com/gpu: 1}}',
      ['error tensor-parallel-fits'],
    ],
    [
      'as many shards as GPUs',
      'vllm_features: {tensor_parallel_size: 2}\nresources: {limits: {nvidia.com/gpu: 2}}',
      [],
    ],
    [
      'rates that disagree',
      'validation: {min_success_rate: 0.9, max_error_rate: 0.05}',
      ['warning validation-agrees'],
    ],
    ['rates that agree', 'validation: {min_success_rate: 0.95, max_error_rate: 0.05}', []],
  ]
  for (const [what, text, expected] of cases) {
    it(`say ${expected.length === 0 ? 'nothing' : expected.join(', ')} to ${what}`, () => {
      expect(rulesOf(text)).to.deep.equal(expected)
    })
  }

  it('compare the weights with the GPU: 14 GB at fp16, a quarter at awq, half at int8, each with a fifth more', () => {
    const hint = 'validation_hints: {model_size_hint: 7B}\n'
    expect(rulesOf(hint, 15)).to.deep.equal(['error weights-fit']) // ⌊14 · 1.2⌋ = 16 > 15
    expect(rulesOf(hint, 16)).to.deep.equal([])
    expect(rulesOf(hint)).to.deep.equal([])
    const awq = `${hint}vllm_features: {quantization: awq}\n`
    expect(rulesOf(awq, 3)).to.deep.equal(['warning quantized-weights', 'error weights-fit']) // ⌊max(4, 3) · 1.2⌋ = 4 > 3
    expect(rulesOf(awq, 4)).to.deep.equal(['warning quantized-weights'])
    // Half: ⌊7 · 1.2⌋ = 8 > 7
    for (const [quantization, warning] of [
      ['fp8', 'fp8-needs-hopper'],
      ['int8', 'quantization-known'],
    ] as const) {
      const half = `${hint}vllm_features: {quantization: ${quantization}}\n`
      expect(rulesOf(half, 7)).to.deep.equal([`warning ${warning}`, 'error weights-fit'])
      expect(rulesOf(half, 8)).to.deep.equal([`warning ${warning}`])
    }
    const bitsandbytes = `${hint}vllm_features: {quantization: bitsandbytes}\n`
    expect(rulesOf(bitsandbytes, 7)).to.deep.equal(['error weights-fit'])
    expect(rulesOf(bitsandbytes, 8)).to.deep.equal([])
  })

  for (const [size, fp16Gb, awqGb] of [
    ['7b', 16, 4], // ⌊14 · 1.2⌋ and ⌊max(4, ⌊14 / 4⌋) · 1.2⌋
    ['13b', 31, 7], // ⌊26 · 1.2⌋ and ⌊⌊26 / 4⌋ · 1.2⌋
    ['34b', 78, 19], // ⌊65 · 1.2⌋ and ⌊⌊65 / 4⌋ · 1.2⌋
    ['70b', 168, 42], // ⌊140 · 1.2⌋ and ⌊⌊140 / 4⌋ · 1.2⌋
  ] as const) {
    it(`want ${fp16Gb} GB for a model of ${size}, ${awqGb} GB at gptq`, () => {
      const hint = `validation_hints: {model_size_hint: ${size}}\n`
      expect(rulesOf(hint, fp16Gb - 1)).to.deep.equal(['error weights-fit'])
      expect(rulesOf(hint, fp16Gb)).to.deep.equal([])
      const gptq = `${hint}vllm_features: {quantization: gptq}\n`
      expect(rulesOf(gptq, awqGb - 1)).to.include('error weights-fit')
      expect(rulesOf(gptq, awqGb)).to.not.include('error weights-fit')
    })
  }

  it('compare weights and KV cache with the GPU where the model is known', () => {
    // Llama 3.1 8B: 2 · 32 layers · 8 KV heads · 128 · 2 bytes; 16 GB of weights.
    const model = {name: 'Llama-3.1-8B', weightBytes: 16e9, kvBytesPerToken: 2 * 32 * 8 * 128 * 2}
    const load = 'load_test: {concurrency: 64}\nrequest: {max_tokens: 872}\n'
    const verdict = (text: string, gpuMemoryGb: number | null, promptTokens = 128): string[] =>
      checkProfile(profileOf(text), {gpuMemoryGb, model, promptTokens}).map(({rule}) => rule)
    // 64 · (128 + 872) tokens · 131,072 = 8.39e9; with 16e9 more than 24 GiB · 0.9 = 23.2e9, less than 32 GiB · 0.9 = 30.9e9.
    expect(verdict(load, 24)).to.deep.equal(['kv-cache-fits'])
    expect(verdict(load, 32)).to.deep.equal([])
    expect(verdict(load, null)).to.deep.equal([])
    // Another 1,000 tokens a request: 64 · 2,000 · 131,072 = 16.8e9.
    expect(verdict(load, 32, 1128)).to.deep.equal(['kv-cache-fits'])
    // Half the cache in fp8, two GPUs, or a quarter of the weights, and it fits.
    expect(verdict(`${load}vllm_features: {kv_cache_dtype: fp8}\n`, 24)).to.deep.equal([])
    expect(verdict(`${load}vllm_features: {tensor_parallel_size: 2}\n`, 24)).to.deep.equal([])
    expect(verdict(`${load}vllm_features: {quantization: awq}\n`, 24)).to.deep.equal(['quantized-weights'])
  })

  it('say nothing of a size that they do not know', () => {
    expect(rulesOf('validation_hints: {model_size_hint: 3b}\n', 1)).to.deep.equal([])
  })
})

describe('keys of a profile', () => {
  const bad: Readonly<Record<string, readonly string[]>> = {
    'metadata.name': ['""', '5', '[a]'],
    'metadata.description': ['5', '{}'],
    'metadata.version': ['1.0'],
    'load_test.pattern': ['wavy', '5', 'Steady'],
    'load_test.duration_seconds': ['0', '-1', '5m', '.inf', '.nan'],
    'load_test.warmup_requests': ['-1', '1.5', 'few'],
    'load_test.requests': ['0', '-1', '1.5', '"5"', 'true', '1e300'],
    'load_test.concurrency': ['0', '-3', '2.5', 'many'],
    'load_test.rate': ['0', '-1', 'fast'],
    'request.max_tokens': ['0', '-1', '0.5', 'many'],
    'request.temperature': ['-0.1', '2.1', 'warm'],
    'request.top_p': ['-0.1', '1.1', 'all'],
    'request.stream': ['yes please', '1'],
    'request.prompt_tokens': ['0', '-1', '0.5', 'many'],
    'request.prefix_groups': ['0', '-1', '0.5', 'many'],
    'request.prefix_tokens': ['0', '-1', '0.5', 'many'],
    'request.schema': ['5', '[a]'],
    'request.tools': ['5', '{name: a}', '[{description: nameless}]'],
    'vllm_features.gpu_memory_utilization': ['-0.1', '1.1', '90%'],
    'vllm_features.quantization': ['8', 'true'],
    'vllm_features.speculative_model': ['5'],
    'vllm_features.num_speculative_tokens': ['0', '1.5'],
    'vllm_features.guided_decoding_backend': ['5'],
    'vllm_features.enable_auto_tool_choice': ['1', 'maybe'],
    'vllm_features.tool_call_parser': ['5'],
    'vllm_features.tensor_parallel_size': ['0', '1.5'],
    'vllm_features.any_other_flag': ['{nested: 1}', '[1]'],
    'resources.requests': ['5', '{cpu: -1}', '{memory: 8GB}', '{memory: lots}'],
    'resources.limits': ['5', '{cpu: 2 cores}', '{nvidia.com/gpu: one}'],
    'validation.min_success_rate': ['-0.1', '1.1', '95%'],
    'validation.max_error_rate': ['-0.1', '5'],
    'validation.max_p95_latency_ms': ['0', '-1', '1s'],
    'validation.max_p99_latency_ms': ['0', '-1', '1s'],
    'validation.max_avg_ttft_ms': ['0', '-1', '1s'],
    'validation.max_p95_ttft_ms': ['0', '-1', '1s'],
    'validation.min_throughput_rps': ['0', '-1', 'fast'],
    'validation.min_tokens_per_second': ['0', '-1', 'fast'],
    'validation.max_cost_per_1k_tokens': ['0', '-1', '$1'],
    'validation.max_energy_per_1k_tokens_wh': ['0', '-1', '1Wh'],
    'model_requirements.compatible_formats': ['awq', '[5]'],
    'validation_hints.model_size_hint': ['7'],
    'validation_hints.gpu_memory_gb_min': ['0', '-1', '12GB'],
  }
  for (const [path, values] of Object.entries(bad)) {
    it(`${path} is refused, with its line, as ${values.join(' or ')}`, () => {
      const [block, key] = path.split('.') as [string, string]
      for (const value of values) {
        expect(() => profileOf(`# a comment\n${block}:\n  ${key}: ${value}\n`), value)
          .to.throw(new RegExp(`^own\\.yaml:3: ${path}`))
          .with.property('code', 'PROFILE_INVALID')
      }
    })
  }

  it('that have a type or a range are all among these', () => {
    const keys = Object.entries(profileSchema.shape).flatMap(([block, schema]) => {
      const inner = 'unwrap' in schema ? schema.unwrap() : schema
      return 'shape' in inner ? Object.keys(inner.shape).map(key => `${block}.${key}`) : []
    })
    expect(Object.keys(bad).filter(path => path !== 'vllm_features.any_other_flag')).to.have.members(keys)
  })
})
