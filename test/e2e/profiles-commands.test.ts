import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {readRepositoryFile, repositoryRoot, runCli} from '../support/cli.js'
import {temporaryFolder} from '../support/temporary.js'

describe('kvctl profiles', () => {
  const folder = temporaryFolder()
  const standard = join(repositoryRoot, 'profiles/standard.yaml')

  it('lists what comes with kvctl', async () => {
    const {code, stdout} = await runCli(['profiles', 'list'])
    expect(code).to.equal(0)
    expect(stdout).to.match(/^standard +Standard benchmarking profile$/m)
    const listed = JSON.parse((await runCli(['profiles', 'list', '--json'])).stdout) as {name: string}[]
    expect(listed.find(({name}) => name === 'standard')).to.deep.equal({
      name: 'standard',
      description: 'Standard benchmarking profile',
      pattern: 'steady',
      requests: 200,
      concurrency: 10,
      max_tokens: 100,
      path: standard,
    })
  })

  it('shows the file itself, or what kvctl makes of it', async () => {
    const {stdout} = await runCli(['profiles', 'show', 'runners/profiles/standard.yaml'])
    expect(stdout).to.equal(readRepositoryFile('profiles/standard.yaml'))
    const shown = JSON.parse((await runCli(['profiles', 'show', 'standard', '--json'])).stdout) as object
    expect(shown).to.have.nested.property('load_test.warmup_requests', 50)
    expect(shown).to.not.have.nested.property('vllm_features.quantization')
  })

  it('passes a sound profile, also by the name and flag that upstream has', async () => {
    expect(await runCli(['profiles', 'validate', 'standard'])).to.include({
      code: 0,
      stdout: `${standard}: passed\n`,
      stderr: '',
    })
    expect(await runCli(['validate', '--profile', 'runners/profiles/standard.yaml'])).to.include({
      code: 0,
      stderr: '',
    })
  })

  it('estimates the KV cache of a model that it knows, by name or config.json, and says when it does not fit', async () => {
    const byName = ['profiles', 'validate', 'standard', '--model', 'Llama-3.1-8B']
    const {stdout} = await runCli([...byName, '--json'])
    // 10 requests of 128 + 100 tokens, 2 · 32 layers · 8 heads · 128 · 2 bytes each.
    const estimate = {tokens: 2280, bytes_per_token: 131_072, bytes: 2280 * 131_072}
    expect((JSON.parse(stdout) as {kv_cache_estimate: object}).kv_cache_estimate).to.include(estimate)
    const config = {
      model_type: 'llama',
      num_hidden_layers: 32,
      hidden_size: 4096,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      intermediate_size: 14_336,
      vocab_size: 128_256,
      max_position_embeddings: 131_072,
    }
    const path = join(folder(), 'config.json')
    writeFileSync(path, JSON.stringify(config))
    const byConfig = await runCli(['profiles', 'validate', 'standard', '--model', path])
    expect(byConfig.stdout).to.match(/^KV cache: 0\.3 GiB for 2280 tokens of .*, 131072 bytes each$/m)
    const {code, stderr} = await runCli([...byName, '--gpu-memory-gb', '16'])
    expect(code).to.equal(5)
    expect(stderr).to.match(/needs about 15\.0 GiB for weights and 0\.3 GiB for the KV cache of 2280 tokens/)
    expect((await runCli(['profiles', 'validate', 'standard', '--model', 'none-such'])).code).to.equal(2)
  })

  it('gives warnings, then errors, and leaves with 5 when a rule is broken', async () => {
    const path = join(folder(), 'own.yaml')
    writeFileSync(path, 'reqests: 5\nvllm_features: {device: cpu, speculative_model: opt}\n')
    const {code, stdout, stderr} = await runCli(['profiles', 'validate', path])
    expect({code, stdout}).to.deep.equal({code: 5, stdout: ''})
    expect(stderr.split('\n')).to.deep.equal([
      `Warning: ${path}:1: unknown key 'reqests' is ignored`,
      `Warning: ${path}: a CPU is slow: figures say little about a GPU`,
      `Error: ${path}: speculative decoding does not run on a CPU`,
      '',
    ])
    const asJson = await runCli(['profiles', 'validate', path, '--json'])
    expect(asJson.code).to.equal(5)
    expect(JSON.parse(asJson.stdout)).to.have.nested.property('error.code', 'PROFILE_RULE')
  })

  it('leaves with 2 and the line when the file is no profile', async () => {
    const path = join(folder(), 'own.yaml')
    writeFileSync(path, 'load_test:\n  requests: -5\n')
    const {code, stderr} = await runCli(['profiles', 'validate', path])
    expect(code).to.equal(2)
    expect(stderr).to.match(new RegExp(`^Error: ${path}:2: load_test\\.requests: `))
  })

  for (const args of [
    ['profiles', 'validate'],
    ['profiles', 'validate', 'standard', '--profile', 'standard'],
    ['profiles', 'show', 'nope'],
  ]) {
    it(`refuses ${args.join(' ')} with 2 and a way on`, async () => {
      const {code, stderr} = await runCli(args)
      expect(code).to.equal(2)
      expect(stderr).to.match(/^Error: [^\n]+\n {2}Try: /)
    })
  }
})
