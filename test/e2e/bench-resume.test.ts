import {once} from 'node:events'
import {appendFile, readFile, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli, startCli} from '../support/cli.js'
import {readRows, untilRows} from '../support/run-files.js'
import {temporaryFolder} from '../support/temporary.js'
import {startTruthServer, type TruthServer} from '../support/truth.js'

interface Meta {
  readonly status: string
  readonly schedule_sha256: string | null
  readonly parts: readonly {
    readonly run_ms: number
    readonly rows_before: number
    readonly sent_again: number
  }[]
}
interface Results {
  readonly run_dir: string
  readonly requests: {readonly total: number; readonly success: number}
  readonly window: {readonly start: number; readonly end: number; readonly seconds: number}
  readonly warnings: readonly {readonly code: string}[]
}

const range = (from: number, to: number): number[] => Array.from({length: to - from + 1}, (_, i) => from + i)
const idOf = (requestId: string): number => Number(requestId.split('-').at(-1))

describe('kvctl bench --resume', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()
  let server: TruthServer | null = null

  beforeEach(async () => {
    server = await startTruthServer({ttftMs: 20, gapMs: 2, tokens: 10})
  })
  afterEach(async () => {
    await server?.stop()
    server = null
  })

  const run = (): string => join(folder(), 'run')
  const readMeta = async (): Promise<Meta> =>
    JSON.parse(await readFile(join(run(), 'meta.json'), 'utf8')) as Meta
  const resume = (...args: string[]): ReturnType<typeof runCli> =>
    runCli(['bench', '--resume', '--run-dir', run(), ...args], {cwd: folder()})

  /** Starts a benchmark and ends it with `signal` once `rows` requests are on disk. */
  async function cutShort(
    signal: NodeJS.Signals,
    rows: number,
    args: readonly string[],
  ): Promise<number | null> {
    const child = startCli(['bench', '--url', server!.url, '--output-dir', run(), ...args], {cwd: folder()})
    child.stderr!.resume()
    child.stdout!.resume()
    await untilRows(run(), rows)
    child.kill(signal)
    const [code] = (await once(child, 'close')) as [number | null]
    return code
  }

  /** What the server was asked, ascending. */
  async function askedIds(): Promise<number[]> {
    const entries = await server!.stop()
    server = null
    const asked = entries.flatMap(({requestId}) => (requestId === '' ? [] : [idOf(requestId)]))
    return asked.sort((left, right) => left - right)
  }

  it('sends exactly the missing requests after kill -9, and accounts for every one once', async () => {
    await cutShort('SIGKILL', 60, ['--requests', '300', '--concurrency', '8', '--warmup', '10'])
    const before = await readRows(run())
    expect(before.length).to.be.within(60, 309)
    // The kill may also have come in the middle of a row and of a frame.
    await appendFile(join(run(), 'requests.csv'), '311,1795233053391.606,17952')
    await appendFile(join(run(), 'gaps.bin'), Buffer.from([55, 1, 0, 0, 9, 0]))
    const {code, stdout, stderr} = await resume('--json')
    expect(code, stderr).to.equal(0)
    const results = JSON.parse(stdout) as Results
    expect(results.requests).to.deep.equal({total: 300, success: 300})
    const rows = await readRows(run())
    expect(rows.map(row => Number(row['id'])).sort((left, right) => left - right)).to.deep.equal(
      range(1, 310),
    )
    // Rows that were there are there still, byte for byte.
    expect(rows.slice(0, before.length)).to.deep.equal(before)
    const {status, parts} = await readMeta()
    expect({status, rowsBefore: parts.map(part => part.rows_before)}).to.deep.equal({
      status: 'complete',
      rowsBefore: [0, before.length],
    })
    expect(results.warnings.map(({code: name}) => name))
      .to.include('resumed')
      .and.not.include.members(['gaps_torn', 'csv_torn', 'requests_missing'])
    // Time in which nothing ran is no time of the run.
    const {start, end, seconds} = results.window
    expect(seconds).to.be.below(end - start)
    // What had a record was asked for once; only what was in flight at the kill, or answered just before it, twice.
    const asked = await askedIds()
    expect([...new Set(asked)]).to.deep.equal(range(1, 310))
    const done = new Set(before.map(row => Number(row['id'])))
    const twice = asked.filter((id, index) => asked[index - 1] === id)
    expect(twice.filter(id => done.has(id))).to.deep.equal([])
  })

  it('keeps the prompts and the schedule of a run at a rate', async () => {
    await cutShort('SIGKILL', 40, [
      '--requests',
      '200',
      '--rate',
      '100',
      '--pattern',
      'poisson',
      '--seed',
      '5',
    ])
    const {schedule_sha256: hash} = await readMeta()
    const {code, stderr} = await resume()
    expect(code, stderr).to.equal(0)
    expect((await readMeta()).schedule_sha256).to.equal(hash)
    // Warm-up has no schedule: it is sent as fast as it is answered.
    const second = (await readRows(run()))
      .slice((await readMeta()).parts[1]!.rows_before)
      .filter(row => row['phase'] === 'measure')
    const whole = join(folder(), 'whole')
    const args = ['--requests', '200', '--rate', '100', '--pattern', 'poisson', '--seed', '5']
    expect((await runCli(['bench', '--url', server!.url, ...args, '--output-dir', whole])).code).to.equal(0)
    const scheduled = new Map((await readRows(whole)).map(row => [row['id'], Number(row['scheduled_ms'])]))
    // Where two neighbours were sent by the second part, the gap between them is that of an uninterrupted run.
    const sent = new Map(second.map(row => [Number(row['id']), Number(row['scheduled_ms'])]))
    const pairs = [...sent.keys()].filter(id => sent.has(id - 1))
    expect(pairs.length).to.be.at.least(50)
    for (const id of pairs) {
      const gap = sent.get(id)! - sent.get(id - 1)!
      expect(gap).to.be.closeTo(scheduled.get(`${id}`)! - scheduled.get(`${id - 1}`)!, 0.01)
    }
    const entries = await server!.stop()
    server = null
    const [cut, uninterrupted] = ['run-', 'whole-'].map(
      name =>
        new Set(
          entries
            .filter(({requestId}) => requestId.startsWith(name))
            .map(({requestId, prompt}) => `${idOf(requestId)} ${prompt}`),
        ),
    )
    expect(cut).to.deep.equal(uninterrupted)
  })

  it('sends again what Ctrl-C cut off, and says how to go on', async () => {
    const code = await cutShort('SIGINT', 20, ['--requests', '120', '--concurrency', '4', '--warmup', '0'])
    expect(code).to.equal(130)
    expect((await readRows(run())).filter(row => row['error_type'] === 'aborted')).to.have.length(4)
    const {code: resumed, stdout} = await resume('--json')
    expect(resumed).to.equal(0)
    expect((JSON.parse(stdout) as Results).requests).to.deep.equal({total: 120, success: 120})
    expect((await readMeta()).parts[1]!.sent_again).to.equal(4)
    const asked = await askedIds()
    expect(asked).to.have.length(120 + 4)
  })

  it('goes on after Ctrl-C during warm-up, which measured nothing', async () => {
    const args = ['--requests', '20', '--concurrency', '2', '--warmup', '80', '--output-dir', run()]
    const child = startCli(['bench', '--url', server!.url, ...args], {cwd: folder()})
    let said = ''
    child.stderr!.on('data', (text: Buffer) => (said += text.toString()))
    await untilRows(run(), 6)
    child.kill('SIGINT')
    const [code] = (await once(child, 'close')) as [number | null]
    expect(code).to.equal(130)
    expect(said).to.contain(
      `Stopped during warm-up: nothing was measured. Go on with: kvctl bench --resume --run-dir ${run()}\n`,
    )
    const {code: resumed, stdout} = await resume('--json')
    expect(resumed).to.equal(0)
    expect((JSON.parse(stdout) as Results).requests).to.deep.equal({total: 20, success: 20})
    expect(await readRows(run())).to.have.length(100)
  })

  it('refuses a complete run, another plan, another model and a changed plan, and changes nothing', async () => {
    await cutShort('SIGKILL', 20, ['--requests', '100', '--concurrency', '4'])
    const files = async (): Promise<string[]> =>
      Promise.all(['requests.csv', 'meta.json'].map(name => readFile(join(run(), name), 'utf8')))
    const before = await files()
    const differing: [string[], string][] = [
      [['--requests', '101'], 'requests'],
      [['--seed', '1'], 'arrival_seed, prompt_seed'],
      [['--prompt-tokens', '9', '--max-tokens', '3'], 'max_tokens, prompt'],
      [['--model', 'other'], 'model'],
      [['--profile', 'cpu-smoke'], 'profile'],
    ]
    for (const [args, names] of differing) {
      const {code, stderr} = await resume(...args)
      expect({code, stderr: stderr.split('\n').find(line => line.startsWith('Error'))}).to.deep.equal({
        code: 2,
        stderr: `Error: the run in ${run()} was planned with other values of: ${names}`,
      })
    }
    const other = await startTruthServer({model: 'other'})
    const elsewhere = await resume('--url', other.url)
    await other.stop()
    expect(elsewhere.code).to.equal(4)
    expect(elsewhere.stderr).to.contain("does not serve a model 'truth'")
    expect(await files()).to.deep.equal(before)

    expect((await resume('--requests', '100', '--concurrency', '4')).code).to.equal(0)
    const again = await resume()
    expect(again.code).to.equal(2)
    expect(again.stderr).to.contain('is complete: nothing is missing')

    const [, meta] = before
    await writeFile(
      join(run(), 'meta.json'),
      meta!.replace('"max_tokens": 100,\n    "temp', '"max_tokens": 99,\n    "temp'),
    )
    const changed = await resume()
    expect(changed.stderr).to.contain('is not the one that was sent')
    await rm(join(run(), 'meta.json'))
    expect((await resume()).code).to.equal(4)
  })

  it('refuses while another process still measures into the run', async () => {
    const child = startCli(
      ['bench', '--url', server!.url, '--requests', '2000', '--concurrency', '2', '--output-dir', run()],
      {cwd: folder()},
    )
    child.stderr!.resume()
    await untilRows(run(), 3)
    const {code, stderr} = await resume()
    child.kill('SIGKILL')
    await once(child, 'close')
    expect(code).to.equal(4)
    expect(stderr).to.contain(`process ${child.pid} is still measuring`)
  })
})
