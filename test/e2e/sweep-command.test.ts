import {once} from 'node:events'
import {existsSync, readFileSync, rmSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli, startCli, type CliResult} from '../support/cli.js'
import {temporaryFolder} from '../support/temporary.js'
import {startTruthServer, type TruthServer} from '../support/truth.js'
import {until} from '../support/until.js'

interface Sweep {
  readonly points: readonly {
    readonly values: Readonly<Record<string, string>>
    readonly status: string
    readonly run_dir: string | null
    readonly verdict: string | null
  }[]
  readonly summary: readonly {
    readonly runs: number
    readonly metrics: Readonly<Record<string, {mean: number | null}>>
  }[]
  readonly knee: {best: number | null; failing: number | null; limiting: string[]} | null
  readonly ended_at: string | null
}

describe('kvctl sweep', function () {
  this.timeout(120_000)
  const folder = temporaryFolder()
  let server: TruthServer
  before(async () => {
    server = await startTruthServer({ttftMs: 10, gapMs: 1, tokens: 4})
  })
  after(() => server.stop())

  const sweep = (...args: string[]): Promise<CliResult> => runCli(['sweep', ...args], {cwd: folder()})
  const stored = (name: string): Sweep =>
    JSON.parse(readFileSync(join(folder(), name, 'sweep.json'), 'utf8')) as Sweep

  it('measures every combination, also when one fails, and goes on where it was cut off', async () => {
    const args = ['--url', server.url, '--axis', 'concurrency=1,2', '--requests', '4', '--order', 'given']
    const child = startCli(['sweep', ...args, '--output-dir', 'grid'], {cwd: folder()})
    await until(
      () =>
        existsSync(join(folder(), 'grid', 'sweep.json')) &&
        stored('grid').points.some(one => one.status === 'completed'),
      () => 'no run ended',
    )
    child.kill('SIGINT')
    const [code] = (await once(child, 'exit')) as [number]
    const before = stored('grid').points.filter(one => one.status === 'completed').length
    // It may have been done before it heard.
    expect(code).to.equal(before === 2 ? 0 : 130)
    rmSync(join(folder(), 'grid', 'sweep.csv'))
    const {code: resumed, stdout, stderr} = await sweep('--resume', '--output-dir', 'grid', '--json')
    expect(resumed, stderr).to.equal(0)
    expect(stderr).to.include(`Resuming grid: ${2 - before} of 2 runs are missing.`)
    const {points, summary} = JSON.parse(stdout) as Sweep
    expect(points.map(({values}) => values['concurrency'])).to.deep.equal(['1', '2'])
    expect(points.map(one => one.status)).to.deep.equal(['completed', 'completed'])
    for (const {metrics} of summary) expect(metrics['error_rate']!.mean).to.equal(0)
    expect(
      readFileSync(join(folder(), 'grid', 'sweep.csv'), 'utf8')
        .trim()
        .split('\n'),
    ).to.have.length(1 + 2)
    expect(points[1]!.run_dir).to.match(/^002_concurrency-2/)
    const meta = JSON.parse(
      readFileSync(join(folder(), 'grid', points[1]!.run_dir!, 'meta.json'), 'utf8'),
    ) as object
    expect(meta).to.include({requests: 4, concurrency: 2})
    expect((await sweep(...args, '--output-dir', 'grid')).code).to.equal(4)
  })

  it('keeps no password of an address, and wants it again to go on', async () => {
    const secret = `http://reader:hunter2@${new URL(server.url).host}`
    const axis = ['--axis', 'concurrency=1,2', '--requests', '2']
    expect((await sweep('--url', secret, ...axis, '--output-dir', 'kept')).code).to.equal(0)
    const text = readFileSync(join(folder(), 'kept', 'sweep.json'), 'utf8')
    expect(text).to.not.contain('hunter2')
    expect(text).to.contain('://[removed]@')
    const refused = await sweep('--resume', '--output-dir', 'kept')
    expect([refused.code, refused.stderr]).to.deep.equal([
      2,
      'Resuming kept: 0 of 2 runs are missing.\nError: the --url of this sweep held a secret, which is not kept\n  Try: give it again: kvctl sweep --resume --output-dir kept --url …\n',
    ])
    const again = await sweep('--resume', '--output-dir', 'kept', '--url', secret)
    expect(again.code, again.stderr).to.equal(0)
    const varied = await sweep('--axis', `url=${secret}`, '--requests', '2', '--output-dir', 'varied')
    expect([varied.code, varied.stderr]).to.deep.equal([
      2,
      'Error: a value of --axis url holds a password, and the values of a sweep are written down\n',
    ])
    expect(existsSync(join(folder(), 'varied'))).to.equal(false)
  })

  it('writes down what fails and sweeps on, and reads every point before the first', async () => {
    const down = await startTruthServer({modes: ['http_500']})
    const urls = `url=${server.url},${down.url}`
    const {code, stdout} = await sweep(
      '--axis',
      urls,
      '--requests',
      '3',
      '--concurrency',
      '1',
      '--output-dir',
      'urls',
    )
    await down.stop()
    expect(code).to.equal(0)
    expect(stdout).to.match(/0 \(1 failed\)/)
    expect(
      stored('urls')
        .points.map(one => one.status)
        .sort(),
    ).to.deep.equal(['completed', 'failed'])
    // Stopped by now: nothing can be measured, and the sweep leaves as its first run would.
    const dead = await sweep('--url', down.url, '--axis', 'concurrency=1,2', '--output-dir', 'dead')
    expect(dead.code).to.equal(3)
    expect(dead.stderr).to.match(/^Error: \S+ cannot be reached/m)
    const bad = await sweep('--url', server.url, '--axis', 'concurrency=1,many', '--output-dir', 'none')
    expect(bad).to.include({code: 2, stdout: ''})
    expect(bad.stderr).to.match(/'many'/)
    expect(existsSync(join(folder(), 'none'))).to.equal(false)
  })

  it('searches the highest value that keeps its goals, and says what limits it', async () => {
    const goal = ['--objective', 'requests <= 11', '--objective', 'error_rate <= 0']
    const args = [
      '--url',
      server.url,
      '--knee',
      'concurrency',
      '--from',
      '2',
      '--most',
      '4',
      '--requests',
      '16',
    ]
    const open = await sweep(
      ...args,
      '--objective',
      'p50(output_tokens) <= 4',
      '--output-dir',
      'open',
      '--json',
    )
    expect(open.code, open.stderr).to.equal(0)
    expect((JSON.parse(open.stdout) as Sweep).knee).to.deep.include({best: 4, failing: null})
    const missing = await sweep(...args, ...goal, '--output-dir', 'closed')
    expect(missing.code, missing.stderr).to.equal(0)
    expect(missing.stdout).to.match(/^No value of concurrency keeps the goals; the lowest tried was 1/)
    expect(stored('closed').knee!.limiting.join()).to.match(/the run has no requests/)
  })
})
