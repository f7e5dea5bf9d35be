import {expect} from 'chai'
import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {parseYaml} from '../../../src/lib/config/index.js'
import {
  checkProfile,
  findProfile,
  loadProfile,
  normaliseProfile,
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

  it('all load, and are named after their files', async () => {
    const names = await shippedProfiles()
    expect(names).to.include.members(['standard', 'cpu-smoke'])
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
      expect((error as {suggestions: string[]}).suggestions[0]).to.contain('cpu-smoke, standard')
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
    ['a CPU', 'vllm_features: {device: cpu}', ['warning cpu-device']],
    ['more users than requests', 'requests: 5\nconcurrency: 6', ['warning concurrency-within-requests']],
    ['as many users as requests', 'requests: 5\nconcurrency: 5', []],
    ['long answers', 'max_tokens: 2049', ['warning many-tokens']],
    ['answers of 2048 tokens', 'max_tokens: 2048', []],
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
    const int8 = `${hint}vllm_features: {quantization: int8}\n`
    expect(rulesOf(int8, 7)).to.deep.equal(['error weights-fit']) // ⌊7 · 1.2⌋ = 8 > 7
    expect(rulesOf(int8, 8)).to.deep.equal([])
  })
})
