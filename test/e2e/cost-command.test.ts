import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli, type CliResult} from '../support/cli.js'
import {writeRunFixture} from '../support/run-fixture.js'
import {temporaryFolder} from '../support/temporary.js'

const PRICES = `gpu:
  default: 1.50
  NVIDIA-A10: 1.10
  NVIDIA-A100-80GB: 4.90
cpu: {hourly_per_core: 0.04}
memory: {hourly_per_gib: 0.005}
overhead: {fraction: 0.10}
`

type Json = Readonly<Record<string, unknown>>

describe('kvctl cost', () => {
  const folder = temporaryFolder()

  const cost = (...args: string[]): Promise<CliResult> =>
    runCli(['cost', ...args], {cwd: folder(), env: {KVMINI_COST_CONFIG: ''}})
  const fixture = async (): Promise<string> => {
    const options = {
      requests: 20,
      warmupRequests: 0,
      concurrency: 4,
      tokens: 16,
      model: 'toy',
      failure: '503',
    }
    return (await writeRunFixture(join(folder(), 'runs', 'one'), options)).path
  }
  const results = (run: string): Json => JSON.parse(readFileSync(join(run, 'results.json'), 'utf8')) as Json

  it('writes the cost of a run into results.json, and analyze finds it again', async () => {
    const run = await fixture()
    writeFileSync(join(folder(), 'own.yaml'), PRICES)
    const args = ['--resources', 'cpu=2,memory=12Gi,gpu=1', '--cost-config', 'own.yaml', '--json']
    const {code, stdout, stderr} = await cost(
      '--run-dir',
      run,
      '--gpu-type',
      'NVIDIA-A100-SXM4-80GB',
      ...args,
    )
    expect({code, stderr}).to.deep.equal({code: 0, stderr: ''})
    const printed = JSON.parse(stdout) as Json & {cost: Json; total_cost: number}
    const {seconds} = results(run)['window'] as {seconds: number}
    expect(printed.total_cost).to.be.closeTo((((4.9 + 2 * 0.04 + 12 * 0.005) * 1.1) / 3600) * seconds, 1e-9)
    expect(printed.cost['hourly_cost']).to.equal('$5.54') // 5.04 · 1.1 = 5.544
    expect(results(run)).to.deep.include({cost: printed.cost, total_cost: printed.total_cost})
    const before = readFileSync(join(run, 'results.json'), 'utf8')
    expect((await runCli(['analyze', '--run-dir', run])).code).to.equal(0)
    expect(readFileSync(join(run, 'results.json'), 'utf8')).to.equal(before)
  })

  it('prints what was held, what an hour of it costs, and the shares', async () => {
    const run = await fixture()
    writeFileSync(join(folder(), 'cost.yaml'), PRICES)
    const {code, stdout} = await cost(
      '--run-dir',
      run,
      '--gpu-type',
      'A10',
      '--resources',
      'cpu=2,memory=12Gi',
    )
    expect(code).to.equal(0)
    expect(stdout).to.match(/^Run one: \$0\.\d+ in /)
    expect(stdout).to.contain('GPU, per hour              $1.21   1 × A10 at $1.1000 (NVIDIA-A10)')
    expect(stdout).to.contain('All, per hour              $1.36   overhead of 10 % included; cost.yaml')
    expect(stdout).to.match(/^Per request +\$0\.0\d+ {3}that succeeded$/m)
    // A priced run is shown again without saying it all again.
    expect((await cost('--run-dir', run)).stdout).to.equal(stdout)
    // But a price file is not passed over in silence.
    expect(await cost('--run-dir', run, '--cost-config', 'cost.yaml')).to.include({code: 2})
  })

  it('finds the price file by --cost-file, then KVMINI_COST_CONFIG, then cost.yaml, then the examples', async () => {
    const priceOfA10 = async (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<unknown> => {
      const flags = ['--duration', '1', '--gpu-type', 'A10', '--json']
      const {stdout} = await runCli(['cost', ...flags, ...args], {
        cwd: folder(),
        env: {KVMINI_COST_CONFIG: '', ...env},
      })
      return (JSON.parse(stdout) as {pricing: {gpu: {hourly: number}}}).pricing.gpu.hourly
    }
    const file = (name: string, price: number): string => {
      writeFileSync(join(folder(), name), `gpu: {A10: ${price}}\n`)
      return name
    }
    expect(await priceOfA10([])).to.equal(1.1)
    file('cost.yaml', 2)
    expect(await priceOfA10([])).to.equal(2)
    const env = {KVMINI_COST_CONFIG: file('environment.yaml', 3)}
    expect(await priceOfA10([], env)).to.equal(3)
    expect(await priceOfA10(['--cost-file', file('flag.yaml', 4)], env)).to.equal(4)
  })

  it('says when it reckons with example prices', async () => {
    const {code, stderr} = await cost('--duration', '1', '--gpu-type', 'A10')
    expect(code).to.equal(0)
    expect(stderr).to.match(/^Warning: no price file was given: kserve-vllm-mini's example prices are taken/)
  })

  it('prices hours of standing without a run', async () => {
    writeFileSync(join(folder(), 'cost.yaml'), PRICES)
    const args = ['--gpu-type', 'A10', '--resources', 'gpu=2']
    const {code, stdout} = await cost('--duration', '24', ...args, '--json')
    expect(code).to.equal(0)
    const standing = JSON.parse(stdout) as Json & {total_cost: number}
    expect(standing.total_cost).to.be.closeTo(2 * 1.1 * 1.1 * 24, 1e-9)
    expect(standing).to.deep.include({
      cost: {
        cost_per_1k_tokens: null,
        hourly_cost: '$2.42', // 2 · 1.10 · 1.1
        breakdown: {gpu: '$2.42', cpu: null, memory: null},
      },
      duration_hours: 24,
      pods: null,
    })
    expect((await cost('--duration', '1d', ...args)).stdout).to.match(/^\$58\.08 for 24 h$/m) // 2.42 · 24
  })

  for (const [what, args, code, message] of [
    [
      'a service whose pods nobody can see',
      ['--service', 'demo'],
      3,
      /pods of --service demo hold needs a Kubern/,
    ],
    [
      'a namespace alone',
      ['--namespace', 'ml', '--duration', '1'],
      3,
      /pods in ml hold needs a Kubernetes cluster/,
    ],
    [
      'an unknown GPU',
      ['--duration', '1', '--gpu-type', 'H200'],
      2,
      /has no price for 'H200'\n {2}Try: known are NVIDIA-A10, /,
    ],
    ['nothing held', ['--duration', '1'], 2, /what the deployment holds is not said/],
    [
      'a price file that is not there',
      ['--duration', '1', '--gpu-type', 'A10', '--cost-config', 'no.yaml'],
      2,
      /no\.yaml does not exist/,
    ],
    [
      'hours that are none',
      ['--duration', '0', '--gpu-type', 'A10'],
      2,
      /--duration takes a number of hours above 0, not '0'/,
    ],
    ['a run and hours at once', ['--duration', '1', '--run-dir', 'x', '--gpu-type', 'A10'], 2, /--run-dir/],
    [
      'a run that is not there',
      ['--run-dir', 'no-such', '--gpu-type', 'A10'],
      4,
      /there is no run directory/,
    ],
  ] as const) {
    it(`leaves with ${code} for ${what}, in text and JSON`, async () => {
      const text = await cost(...args)
      expect({code: text.code, stdout: text.stdout}).to.deep.equal({code, stdout: ''})
      expect(text.stderr)
        .to.match(/^Error: /m)
        .and.match(message)
      const json = await cost(...args, '--json')
      expect(json.code).to.equal(code)
      expect((JSON.parse(json.stdout) as {error: Json}).error).to.include({exit_code: code})
    })
  }

  it('names file and line of a bad price', async () => {
    writeFileSync(join(folder(), 'bad.yaml'), 'gpu:\n  A10: 1\ncpu:\n  hourly_per_core: -1\n')
    const {code, stderr} = await cost('--duration', '1', '--gpu-type', 'A10', '--cost-config', 'bad.yaml')
    expect(code).to.equal(2)
    expect(stderr).to.match(/^Error: bad\.yaml:4: cpu\.hourly_per_core: /)
  })
})
