import {execFileSync} from 'node:child_process'
import {mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import type {RunResults} from '../../src/lib/runs/index.js'
import {runCli, type CliResult} from '../support/cli.js'
import {startPrometheusStandIn} from '../support/prometheus-stand-in.js'
import {describeWith} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'
import {startTruthServer, type TruthServer} from '../support/truth.js'

interface Reproduction {
  readonly command: readonly string[]
  readonly is_exact: boolean
  readonly workload_sha256: string
}

describeWith(['tar', 'sha256sum'], 'what bench does with a run once it is measured', () => {
  const folder = temporaryFolder()
  let server: TruthServer

  before(async () => {
    server = await startTruthServer({ttftMs: 1, gapMs: 1, tokens: 3})
  })
  after(() => server.stop())

  const bench = async (cwd: string, ...args: string[]): Promise<CliResult> =>
    runCli(['bench', '--url', server.url, '--warmup', '0', '--plain', ...args], {cwd})
  const json = (...path: string[]): Reproduction =>
    JSON.parse(readFileSync(join(...path), 'utf8')) as Reproduction

  it('--bundle: packs the run, its workload and the command that sends the same again, and no secret', async () => {
    const lines = ['How warm is the sea?', 'And the lake?'].map(prompt => JSON.stringify({prompt}))
    writeFileSync(join(folder(), 'questions.jsonl'), `${lines.join('\n')}\n`)
    const load = ['--dataset', 'jsonl', '--dataset-path', 'questions.jsonl', '--requests', '4']
    const own = ['--output-dir', 'one', '--bundle', 'one.tar.gz', '--api-key', 'sk-never-packed']
    const first = await bench(folder(), ...load, ...own)
    expect(first.code, first.stderr).to.equal(0)
    expect(first.stderr).to.match(/^Bundle: \S+\/one\.tar\.gz \(\d/m)

    execFileSync('tar', ['-xzf', 'one.tar.gz', '--one-top-level=opened'], {cwd: folder()})
    const opened = join(folder(), 'opened', 'one')
    expect(readdirSync(opened, {recursive: true})).to.include.members([
      ...['SHA256SUMS', 'SUMMARY.md', 'reproduce.json', 'workload/questions.jsonl'],
      ...['meta.json', 'requests.csv', 'gaps.bin', 'results.json', 'report.html'],
    ])
    execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], {cwd: opened})
    const packed = readdirSync(opened, {recursive: true, withFileTypes: true}).filter(entry => entry.isFile())
    const texts = packed.map(({parentPath, name}) => readFileSync(join(parentPath, name), 'latin1'))
    expect(texts.some(text => text.includes('sk-never-packed'))).to.equal(false)

    const {command, is_exact, workload_sha256} = json(opened, 'reproduce.json')
    expect(is_exact).to.equal(true)
    const again = await runCli([...command.slice(1), '--output-dir', 'again', '--plain'], {cwd: opened})
    expect(again.code, again.stderr).to.equal(0)
    expect(json(opened, 'again', 'meta.json').workload_sha256).to.equal(workload_sha256)
  })

  it('--bundle: fails before anything is sent where the file cannot be written', async () => {
    mkdirSync(join(folder(), 'taken'))
    const [nowhere, taken] = [
      await bench(folder(), '--requests', '1', '--bundle', 'no/such/folder.tar.gz', '--output-dir', 'x'),
      await bench(folder(), '--requests', '1', '--bundle', 'taken', '--output-dir', 'x'),
    ]
    expect([nowhere.code, taken.code]).to.deep.equal([4, 4])
    expect(taken.stderr).to.contain('Error: taken is a folder: a bundle is one file')
    expect(readdirSync(folder())).not.to.include('x')
  })

  it('kvctl export --format bundle: packs an older run, the same files as the same bytes', async () => {
    await bench(folder(), '--requests', '2', '--output-dir', 'run')
    const pack = async (file: string): Promise<Buffer> => {
      const {code, stderr} = await runCli(
        ['export', '--run-dir', 'run', '--format', 'bundle', '--output', file],
        {cwd: folder()},
      )
      expect(code, stderr).to.equal(0)
      return readFileSync(join(folder(), file))
    }
    expect((await pack('a.tar.gz')).equals(await pack('b.tar.gz'))).to.equal(true)
  })

  it('--prom-url: asks about the run when it has ended; says with 3 that nobody answers, before anything is sent', async () => {
    const standIn = await startPrometheusStandIn()
    try {
      const args = ['--requests', '2', '--json', '--output-dir', 'asked']
      const {code, stdout, stderr} = await bench(folder(), ...args, '--prom-url', standIn.url)
      expect(code, stderr).to.equal(0)
      expect(stderr).to.contain(`Warning: Prometheus at ${standIn.url} has no series over the run`)
      expect((JSON.parse(stdout) as RunResults).prometheus).to.include({url: standIn.url})
      expect(readdirSync(join(folder(), 'asked'))).to.include('prometheus.json')
    } finally {
      await standIn.close()
    }
    const nobody = await bench(
      folder(),
      '--requests',
      '2',
      '--output-dir',
      'none',
      '--prom-url',
      'http://127.0.0.1:1',
    )
    expect(nobody.code).to.equal(3)
    expect(readdirSync(folder())).not.to.include('none')
    const variable = await runCli(
      ['bench', '--url', server.url, '--requests', '2', '--warmup', '0', '--output-dir', 'kept', '--plain'],
      {cwd: folder(), env: {PROMETHEUS_URL: 'http://127.0.0.1:1'}},
    )
    expect(variable.code, variable.stderr).to.equal(0)
    expect(variable.stderr).to.contain('--prom-url asks again')
  })
})
