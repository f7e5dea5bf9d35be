import {readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli, type CliResult} from '../support/cli.js'
import {bareDriver, fullGpu, migGpu, ofGpu} from '../support/nvml/driver-facts.js'
import {standInDriver, type Facts} from '../support/nvml/stand-in.js'
import {describeWith} from '../support/requires.js'
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
    runCli(['cost', ...args], {
      cwd: folder(),
      env: {
        KVMINI_COST_CONFIG: '',
        KUBECONFIG: join(folder(), 'none'),
        KUBERNETES_SERVICE_HOST: '',
        KVCTL_NVML_PATH: '/no/driver',
      },
    })
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
      return (JSON.parse(stdout) as {pricing: {gpus: {hourly: number}[]}}).pricing.gpus[0]!.hourly
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
      ['--service', 'demo', '--duration', '1'],
      3,
      /no Kubernetes cluster can be reached|kubectl is not installed/,
    ],
    [
      'a namespace alone',
      ['--namespace', 'ml', '--duration', '1'],
      2,
      /whose pods in ml are to be priced is not said\n {2}Try: --service/,
    ],
    [
      'an unknown GPU',
      ['--duration', '1', '--gpu-type', 'H200'],
      2,
      /has no price for 'H200'\n {2}Try: known are NVIDIA-A10, /,
    ],
    [
      'nothing held',
      ['--duration', '1'],
      2,
      /what the deployment holds is not said: there is no usable NVIDIA driver library here/,
    ],
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

describeWith(['gcc|cc'], 'kvctl cost by the GPUs of this machine', () => {
  const folder = temporaryFolder()

  const cost = (facts: Facts, ...args: string[]): Promise<CliResult> => {
    writeFileSync(join(folder(), 'cost.yaml'), PRICES.replace('default: 1.50', 'NVIDIA-H100-80GB: 7'))
    const {env} = standInDriver(folder(), facts)
    return runCli(['cost', ...args], {cwd: folder(), env: {KVMINI_COST_CONFIG: '', ...env}})
  }
  const named = (index: number, name: string): Facts => ({
    ...fullGpu(index),
    ...ofGpu(index, {nvmlDeviceGetName: name}),
  })

  it('prices hours of all of them, each at its own price', async () => {
    const facts = {...bareDriver(2), ...named(0, 'NVIDIA A10'), ...named(1, 'NVIDIA A100-SXM4-80GB')}
    const {code, stdout, stderr} = await cost(facts, '--duration', '10')
    expect(code).to.equal(0)
    expect(stdout).to.match(/^\$66\.00 for 10 h$/m) // (1.10 + 4.90) · 1.1 · 10
    expect(stdout).to.contain(
      '1 × NVIDIA A10 at $1.1000 (NVIDIA-A10); 1 × NVIDIA A100-SXM4-80GB at $4.9000 (NVIDIA-A100-80GB)',
    )
    expect(stderr).to.equal('Warning: CPU and memory of the deployment are not said and cost nothing here\n')
  })

  it('prices MIG slices by their share', async () => {
    const {stdout} = await cost({...bareDriver(1), ...migGpu(0)}, '--duration', '1', '--json')
    const {total_cost, pricing} = JSON.parse(stdout) as {total_cost: number; pricing: {gpus: Json[]}}
    expect(pricing.gpus.map(({product, hourly}) => [product, hourly])).to.deep.equal([
      ['NVIDIA H100 80GB HBM3 MIG 1g.10gb', 7 / 7],
      ['NVIDIA H100 80GB HBM3 MIG 2g.20gb', (7 * 2) / 7],
    ])
    expect(total_cost).to.be.closeTo((1 + 2) * 1.1, 1e-9)
  })

  it('leaves the price of one that the list does not know open, with the reason and what to do', async () => {
    const facts = {...bareDriver(1), ...named(0, 'NVIDIA B300')}
    const json = await cost(facts, '--duration', '1', '--resources', 'cpu=1,gpu=1', '--json')
    expect(json.code).to.equal(0)
    expect(JSON.parse(json.stdout)).to.deep.include({
      total_cost: null,
      cost: {
        cost_per_1k_tokens: null,
        hourly_cost: null,
        breakdown: {gpu: null, cpu: '$0.04', memory: null},
      },
    })
    const {stdout, stderr} = await cost(facts, '--duration', '1')
    expect(stdout).to.match(/^N\/A for 1 h\n\nGPU, per hour +N\/A {3}1 × NVIDIA B300, of unknown price$/m)
    expect(stderr).to.contain(
      "Warning: cost.yaml has no price for 'NVIDIA B300': what it costs is unknown; list it in the file of --cost-config, or name another entry with --gpu-type\n",
    )
  })

  it('prices a run that recorded none by those of its machine, and says so; never one of another machine', async () => {
    const options = {requests: 5, warmupRequests: 0, concurrency: 1, tokens: 4, model: 'toy', failure: '503'}
    const run = (await writeRunFixture(join(folder(), 'runs', 'one'), options)).path
    const facts = {...bareDriver(1), ...named(0, 'NVIDIA A10')}
    const change = (key: string, value: unknown): void => {
      const path = join(run, 'meta.json')
      writeFileSync(path, JSON.stringify({...(JSON.parse(readFileSync(path, 'utf8')) as Json), [key]: value}))
    }
    const own = await cost(facts, '--run-dir', run)
    expect(own.code).to.equal(2)
    expect(own.stderr).to.contain("is not said: kvctl's own engine, which served the run, uses no GPU\n")
    change('server', null)
    const {code, stdout, stderr} = await cost(facts, '--run-dir', run)
    expect(code).to.equal(0)
    expect(stdout).to.contain('GPU, per hour              $1.21   1 × NVIDIA A10 at $1.1000 (NVIDIA-A10)')
    expect(stderr).to.contain('Warning: the run recorded no GPU: those of this machine now are priced\n')
    change('url', 'http://192.0.2.1:8000')
    const far = await cost(facts, '--run-dir', run, '--cost-config', 'cost.yaml')
    expect(far.code).to.equal(2)
    expect(far.stderr).to.contain('is not said: http://192.0.2.1:8000 is not on this machine\n')
  })
})
