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
