import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli} from '../support/cli.js'
import {readRows} from '../support/run-files.js'
import {temporaryFolder} from '../support/temporary.js'
import {startTruthServer} from '../support/truth.js'

interface Measures {
  readonly metrics: Readonly<Record<string, {readonly value: number | null}>>
  readonly measure_window: {readonly seconds: number}
}

describe('goals of a run', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()

  it('count good requests, and failed ones as none; analyze takes other goals from the same files', async () => {
    const server = await startTruthServer({
      ttftMs: 30,
      gapMs: 1,
      tokens: 4,
      modes: ['ok', 'ok', 'ok', 'http_500'],
    })
    const run = join(folder(), 'run')
    const args = [
      '--url',
      server.url,
      '--requests',
      '40',
      '--warmup',
      '0',
      '--rate',
      '200',
      '--slo',
      'ttft<=10s',
      '--slo',
      'e2e:20000',
    ]
    const benched = await runCli(['bench', ...args, '--run-dir', run, '--json'])
    await server.stop()
    expect(benched.stderr).not.to.contain('Error: --slo')
    const results = JSON.parse(await readFile(join(run, 'results.json'), 'utf8')) as Measures
    const value = (name: string): number => results.metrics[name]!.value!
    const rows = await readRows(run)
    const scheduled = rows.map(row => Number(row['scheduled_ms']))
    // The window ends with the last arrival, which is itself outside.
    const last = Math.max(...scheduled)
    const inside = rows.filter(row => Number(row['scheduled_ms']) < last)
    const good = inside.filter(row => row['error_type'] === '').length
    expect(value('good_fraction')).to.be.closeTo(good / inside.length, 1e-6)
    expect(value('slo_attainment_ttft')).to.be.closeTo(good / inside.length, 1e-6)
    expect(results.metrics).not.to.have.property('slo_attainment_tpot')
    const strict = await runCli(['analyze', '--run-dir', run, '--slo', 'ttft<=1ms', '--json'])
    const again = JSON.parse(strict.stdout) as Measures
    expect(again.metrics['good_fraction']!.value).to.equal(0)
    expect(again.metrics['goodput']!.value).to.equal(0)
  })

  it('are refused in one line when they are none', async () => {
    const {code, stderr} = await runCli(['analyze', '--run-dir', folder(), '--slo', 'speed<=5'])
    expect(code).to.equal(2)
    expect(stderr.split('\n')[0]).to.equal(
      "Error: --slo takes a goal of ttft, tpot, max_gap, e2e, not 'speed<=5'",
    )
  })
})
