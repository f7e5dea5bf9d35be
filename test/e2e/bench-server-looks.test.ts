import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {expect} from 'chai'
import {EXIT} from '../../src/lib/foundation/index.js'
import type {RunResults, TimeSample} from '../../src/lib/runs/index.js'
import {runCli} from '../support/cli.js'
import {endEngine, startEngine} from '../support/engine-process.js'
import {bareDriver, fullGpu, ofGpu} from '../support/nvml/driver-facts.js'
import {standInDriver} from '../support/nvml/stand-in.js'
import {describeWith} from '../support/requires.js'
import {readRows} from '../support/run-files.js'
import {temporaryFolder} from '../support/temporary.js'

describeWith(['gcc|cc'], 'what kvctl bench sees of the server meanwhile', () => {
  const folder = temporaryFolder()
  let engine: Awaited<ReturnType<typeof startEngine>>

  afterEach(async () => {
    await endEngine(engine.child, 'SIGTERM')
  })

  const bench = async (...args: string[]) => {
    const run = join(folder(), 'run')
    const other = ofGpu(0, {nvmlDeviceGetName: 'NVIDIA A10'})
    const own = ofGpu(1, {
      nvmlDeviceGetName: 'NVIDIA A100-SXM4-80GB',
      compute: `${engine.pid}:${2 ** 30}:-1:-1`,
    })
    const driver = standInDriver(folder(), {
      ...bareDriver(2),
      ...{...fullGpu(0), ...other, ...fullGpu(1), ...own},
    })
    const shared = ['bench', '--url', engine.url, '--warmup', '0', '--output-dir', run]
    const {code, stdout, stderr} = await runCli([...shared, '--ignore-eos', ...args], {
      cwd: folder(),
      env: driver.env,
    })
    // A machine at work may miss the goals of the profile, which is another matter.
    expect(code, stderr).to.be.oneOf([EXIT.ok, EXIT.validation])
    const lines = (await readFile(join(run, 'timeseries.jsonl'), 'utf8')).trim().split('\n')
    const results = JSON.parse(await readFile(join(run, 'results.json'), 'utf8')) as RunResults
    return {run, stdout, samples: lines.map(line => JSON.parse(line) as TimeSample), results}
  }

  it('are its own counters from before the first request on, its segment, processor and GPU, found by its address', async () => {
    engine = await startEngine('--seed', '3')
    const {run, samples, results} = await bench(
      '--requests',
      '24',
      '--concurrency',
      '4',
      '--max-tokens',
      '40',
    )
    const rows = await readRows(run)
    const tokens = rows.reduce((sum, row) => sum + Number(row['completion_tokens']), 0)
    const prompts = rows.reduce((sum, row) => sum + Number(row['prompt_tokens']), 0)
    expect(results.server).to.deep.include({generation_tokens: tokens, prompt_tokens: prompts})
    expect(results.server!.distributions['e2e']!.count).to.be.within(1, 24)

    const segments = samples.flatMap(sample => sample.segments ?? [])
    expect(new Set(segments.map(({name}) => name))).to.deep.equal(new Set([engine.segment]))
    expect(Math.max(...results.timeline.segment_used_bytes.map(Number))).to.be.greaterThan(0)

    const gpus = samples.findLast(sample => sample.gpus !== undefined)!.gpus!
    expect(gpus.map(({index, serves, power_watts: watts}) => [index, serves, watts])).to.deep.equal([
      [0, false, 412.5],
      [1, true, 412.5],
    ])
    // Of the GPU that serves alone.
    expect([results.gpu_power_watts_avg, results.gpu_util_avg]).to.deep.equal([412.5, 85])
    expect(results.timeline.gpu_power_watts.filter(value => value !== null)).to.include(412.5)
    expect(results.resources.avg_cpu_usage).to.be.greaterThan(0)
  })

  it('price the run: an A100 that served costs no A10, and its name is found again without a driver', async () => {
    engine = await startEngine('--no-segment')
    const prices = join(folder(), 'prices.yaml')
    await writeFile(prices, 'gpu: {NVIDIA-A10: 1, NVIDIA-A100-80GB: 5}\noverhead: {fraction: 0}\n')
    const {run, results} = await bench('--requests', '8', '--max-tokens', '8', '--cost-config', prices)
    expect(results.cost.hourly_cost).to.equal('$5.00')
    expect(results.total_cost).to.be.closeTo((5 * results.window.seconds!) / 3600, 1e-9)
    expect(results.cost_breakdown).to.include({gpu_hourly: 5, gpu_product_label: 'NVIDIA A100-SXM4-80GB'})
    await writeFile(prices, 'gpu: {NVIDIA-A10: 1, NVIDIA-A100-80GB: 6}\noverhead: {fraction: 0}\n')
    const again = await runCli(['cost', '--run-dir', run, '--cost-config', prices, '--json'])
    expect(JSON.parse(again.stdout)).to.have.nested.property('cost.hourly_cost', '$6.00')
  })

  it('tells queueing when an engine is given more than it takes at once', async () => {
    engine = await startEngine('--no-segment', '--max-num-seqs', '2')
    const {stdout, results} = await bench('--requests', '40', '--concurrency', '12', '--max-tokens', '30')
    expect(results.server!.cause?.code).to.equal('queueing')
    expect(stdout).to.match(/^First token  requests waited \d+ ms in the server's queue of \d+ ms/m)
    expect(Math.max(...results.timeline.server_waiting.map(Number))).to.be.greaterThan(2)
  })

  it('warns when others used the server too', async () => {
    engine = await startEngine('--no-segment')
    const models = (await (await fetch(`${engine.url}/v1/models`)).json()) as {data: {id: string}[]}
    const body = JSON.stringify({
      model: models.data[0]!.id,
      prompt: 'another',
      max_tokens: 50,
      ignore_eos: true,
    })
    const headers = {'content-type': 'application/json'}
    const other = async (): Promise<void> => {
      await (await fetch(`${engine.url}/v1/completions`, {method: 'POST', headers, body})).text()
    }
    let isOver = false
    const others = (async () => {
      while (!isOver) await other()
    })()
    const {results} = await bench('--requests', '20', '--concurrency', '2', '--max-tokens', '30')
    isOver = true
    await others
    expect(results.warnings.map(({code}) => code)).to.include('server_counts_differ')
  })
})
