import {once} from 'node:events'
import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli, startCli, type CliResult} from '../support/cli.js'
import {readRows, untilRows, type Row} from '../support/run-files.js'
import {temporaryFolder} from '../support/temporary.js'
import {startTruthServer, type TruthServer} from '../support/truth.js'
import type {TruthEntry} from '../support/truth-server.js'

interface Results {
  readonly requests: {readonly total: number; readonly success: number}
  readonly completion_tokens_total: number
  readonly instrument: {
    readonly workers: number
    readonly token_reads: number
    readonly calibration: {
      readonly streams: number
      readonly requests: number
      readonly ttft_error_ms: {readonly p50: number; readonly p99: number}
    } | null
  }
}

const numbers = (rows: readonly Row[], column: string): number[] =>
  rows.map(row => Number(row[column])).sort((left, right) => left - right)
const oneTo = (count: number): number[] => Array.from({length: count}, (_, i) => i + 1)

describe('kvctl bench with several load processes', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()
  const servers: TruthServer[] = []

  const start = async (...options: Parameters<typeof startTruthServer>): Promise<TruthServer> => {
    const server = await startTruthServer(...options)
    servers.push(server)
    return server
  }
  /** What a server was asked by the load itself. */
  const stop = async (server: TruthServer): Promise<TruthEntry[]> => {
    servers.splice(servers.indexOf(server), 1)
    return (await server.stop()).filter(({requestId}) => requestId !== '')
  }
  afterEach(async () => {
    for (const server of [...servers]) await stop(server)
  })

  const run = (name = 'run'): string => join(folder(), name)
  const bench = (...args: string[]): Promise<CliResult> =>
    runCli(['bench', '--json', ...args], {cwd: folder()})

  it('counts every request once, and sends each on one of their own connections', async () => {
    const server = await start({ttftMs: 10, gapMs: 2, tokens: 6})
    const args = ['--requests', '90', '--concurrency', '10', '--warmup', '7', '--workers', '3']
    const {code, stdout, stderr} = await bench('--url', server.url, ...args, '--output-dir', run())
    expect(code, stderr).to.equal(0)
    const results = JSON.parse(stdout) as Results
    expect(results.requests).to.deep.equal({total: 90, success: 90})
    expect(results.completion_tokens_total).to.equal(90 * 6)
    expect(results.instrument.workers).to.equal(3)
    expect(results.instrument.token_reads).to.equal(97 * 6)
    const rows = await readRows(run())
    expect(numbers(rows, 'id')).to.deep.equal(oneTo(97))
    expect(rows.filter(({phase}) => phase === 'warmup')).to.have.length(7)
    const asked = await stop(server)
    expect(asked).to.have.length(97)
    expect(new Set(asked.map(({port}) => port)).size).to.equal(10)
  })

  it('keep the schedule and the prompts of one process', async () => {
    const server = await start({ttftMs: 5, gapMs: 1, tokens: 3})
    const args = ['--rate', '150', '--pattern', 'poisson', '--requests', '45', '--seed', '7', '--warmup', '4']
    const seen: {offsetsMs: number[]; prompts: Map<number, string>}[] = []
    for (const workers of ['1', '4']) {
      const {code, stderr} = await bench(
        '--url',
        server.url,
        ...args,
        '--workers',
        workers,
        '--run-dir',
        run(workers),
      )
      expect(code, stderr).to.equal(0)
      const rows = (await readRows(run(workers))).filter(({phase}) => phase === 'measure')
      const scheduled = numbers(rows, 'scheduled_ms')
      seen.push({offsetsMs: scheduled.map(at => at - scheduled[0]!), prompts: new Map()})
    }
    for (const {requestId, prompt} of await stop(server)) {
      const [, runId, id] = /^(\d)-(\d+)$/.exec(requestId)!
      seen[runId === '1' ? 0 : 1]!.prompts.set(Number(id), prompt)
    }
    const [one, four] = [seen[0]!, seen[1]!]
    for (const [at, offsetMs] of four.offsetsMs.entries())
      expect(offsetMs).to.be.closeTo(one.offsetsMs[at]!, 0.01)
    expect(four.prompts).to.deep.equal(one.prompts)
    expect(one.prompts.size).to.equal(49)
  })

  it('leave a readable run when one of them is killed, and --resume sends what is missing', async () => {
    const server = await start({ttftMs: 20, gapMs: 2, tokens: 10})
    const child = startCli(
      [
        'bench',
        '--url',
        server.url,
        '--requests',
        '400',
        '--concurrency',
        '8',
        '--workers',
        '2',
        '--run-dir',
        run(),
      ],
      {cwd: folder()},
    )
    let stderr = ''
    child.stderr!.on('data', (text: Buffer) => (stderr += text.toString()))
    child.stdout!.resume()
    await untilRows(run(), 60)
    process.kill(await loadProcessOf(child.pid!), 'SIGKILL')
    const [code] = (await once(child, 'close')) as [number | null]
    expect(code, stderr).to.equal(1)
    expect(stderr).to.contain('SIGKILL')
    expect(JSON.parse(await readFile(join(run(), 'meta.json'), 'utf8'))).to.include({status: 'failed'})
    const before = numbers(await readRows(run()), 'id')
    expect(before.length).to.be.at.least(59)
    const resumed = await runCli(['bench', '--resume', '--run-dir', run(), '--json'], {cwd: folder()})
    expect(resumed.code, resumed.stderr).to.equal(0)
    const results = JSON.parse(resumed.stdout) as Results
    expect(results.requests).to.deep.equal({total: 400, success: 400})
    expect(results.instrument.workers, 'as many as the run had').to.equal(2)
  })

  it('send to several servers in turn', async () => {
    const [first, second] = [await start({tokens: 3}), await start({tokens: 3})]
    const urls = ['--url', first.url, '--url', second.url]
    const {code, stderr} = await bench(...urls, '--requests', '30', '--warmup', '0', '--run-dir', run())
    expect(code, stderr).to.equal(0)
    const ids = (entries: {requestId: string}[]): number[] =>
      entries.map(({requestId}) => Number(requestId.split('-').at(-1))).sort((left, right) => left - right)
    expect(ids(await stop(first))).to.deep.equal(oneTo(30).filter(id => id % 2 === 1))
    expect(ids(await stop(second))).to.deep.equal(oneTo(30).filter(id => id % 2 === 0))
    const meta = JSON.parse(await readFile(join(run(), 'meta.json'), 'utf8')) as {urls: string[]}
    expect(meta.urls).to.deep.equal([first.url, second.url])
  })

  it('are measured themselves with --calibrate, at the load of the run', async () => {
    const server = await start({ttftMs: 20, gapMs: 5, tokens: 8})
    const args = [
      '--requests',
      '16',
      '--concurrency',
      '8',
      '--workers',
      '2',
      '--calibrate',
      '--run-dir',
      run(),
    ]
    const {code, stdout, stderr} = await bench('--url', server.url, ...args)
    expect(code, stderr).to.equal(0)
    const {calibration} = (JSON.parse(stdout) as Results).instrument
    expect(calibration).to.include({streams: 8})
    expect(calibration!.requests)
      .to.be.at.least(16)
      .and.to.equal(calibration!.requests - (calibration!.requests % 8))
    expect(calibration!.ttft_error_ms.p99).to.be.at.least(calibration!.ttft_error_ms.p50)
    const stored = JSON.parse(await readFile(join(run(), 'meta.json'), 'utf8')) as {
      instrument: Results['instrument']
    }
    expect(stored.instrument.calibration).to.deep.equal(calibration)
  })
})

/** One of the processes that a running benchmark has started. */
async function loadProcessOf(parent: number): Promise<number> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const [stat, command] = await Promise.all(
      ['stat', 'cmdline'].map(file => readFile(`/proc/${name}/${file}`, 'utf8').catch(() => '')),
    )
    const parentOf = Number(stat!.slice(stat!.lastIndexOf(')') + 2).split(' ')[1])
    if (parentOf === parent && command!.includes('load-worker')) return Number(name)
  }
  throw new Error(`${parent} has no load process`)
}
