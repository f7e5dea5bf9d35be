import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {expect} from 'chai'
import {EXIT} from '../../src/lib/foundation/index.js'
import {createFaultDealer} from '../../src/server/fault-injection.js'
import {runCli} from '../support/cli.js'
import {endEngine, startEngine} from '../support/engine-process.js'
import {readRows, type Row} from '../support/run-files.js'
import {temporaryFolder} from '../support/temporary.js'

type Engine = Awaited<ReturnType<typeof startEngine>>

/** The sum of one counter over its labels. */
async function counter(engine: Engine, name: string): Promise<number> {
  const text = await (await fetch(`${engine.url}/metrics`)).text()
  const lines = text.split('\n').filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
  expect(lines, name).not.to.deep.equal([])
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

const sum = (rows: readonly Row[], column: string): number =>
  rows.reduce((total, row) => total + Number(row[column]), 0)
const range = (to: number): number[] => Array.from({length: to}, (_, i) => i + 1)
const idsOf = (rows: readonly Row[]): number[] =>
  rows.map(row => Number(row['id'])).sort((left, right) => left - right)
const countBy = (names: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

describe('kvctl bench against kvctl engine', function () {
  this.timeout(120_000)
  const folder = temporaryFolder()
  let engine: Engine

  afterEach(async () => {
    expect(await endEngine(engine.child, 'SIGTERM')).to.equal(0)
  })

  const bench = async (name: string, status: number, ...args: string[]): Promise<Row[]> => {
    const run = join(folder(), name)
    const {code, stderr} = await runCli(
      ['bench', '--url', engine.url, ...args, '--warmup', '0', '--output-dir', run],
      {cwd: folder()},
    )
    expect(code, stderr).to.equal(status)
    return readRows(run)
  }

  it('accounts for 200 requests with the tokens that the engine counted, on one schedule for one seed', async () => {
    engine = await startEngine()
    const names = {
      prompt_tokens: 'vllm:prompt_tokens_total',
      completion_tokens: 'vllm:generation_tokens_total',
    }
    const schedules: {sha256: string; offsetsMs: number[]; promptTokens: unknown[]}[] = []
    for (const name of ['a', 'b']) {
      const before = await Promise.all(Object.values(names).map(series => counter(engine, series)))
      const args = [
        '--requests',
        '200',
        '--rate',
        '40',
        '--pattern',
        'poisson',
        '--seed',
        '7',
        '--max-tokens',
        '20',
      ]
      const rows = await bench(name, 0, ...args)
      expect(idsOf(rows)).to.deep.equal(range(200))
      expect(countBy(rows.map(row => row['error_type']!))).to.deep.equal({'': 200})
      const after = await Promise.all(Object.values(names).map(series => counter(engine, series)))
      for (const [index, column] of Object.keys(names).entries())
        expect(sum(rows, column), column).to.equal(after[index]! - before[index]!)
      const meta = JSON.parse(await readFile(join(folder(), name, 'meta.json'), 'utf8')) as {
        schedule_sha256: string
      }
      const byId = rows.sort((left, right) => Number(left['id']) - Number(right['id']))
      const startMs = Number(byId[0]!['scheduled_ms'])
      schedules.push({
        sha256: meta.schedule_sha256,
        offsetsMs: byId.map(row => Number(row['scheduled_ms']) - startMs),
        promptTokens: byId.map(row => row['prompt_tokens']),
      })
    }
    const [first, second] = schedules as [(typeof schedules)[0], (typeof schedules)[0]]
    expect(first.sha256).to.equal(second.sha256)
    expect(first.promptTokens).to.deep.equal(second.promptTokens)
    // The file has three decimals of an epoch: two roundings of 0.0005 ms each way.
    for (const [at, offsetMs] of first.offsetsMs.entries())
      expect(offsetMs).to.be.closeTo(second.offsetsMs[at]!, 0.01)
  })

  it('puts every one of 2,000 requests into the class of what the engine did to it', async () => {
    const rates = {error: 0.06, tooMany: 0.05, cut: 0.05, stall: 0.03, spike: 0.04}
    engine = await startEngine(
      ...['--no-segment', '--speedup', '20', '--seed', '11', '--inject-stall-time', '1h'],
      ...['--inject-error-rate', `${rates.error}`, '--inject-429-rate', `${rates.tooMany}`],
      ...['--inject-cut-rate', `${rates.cut}`, '--inject-stall-rate', `${rates.stall}`],
      ...['--inject-spike-rate', `${rates.spike}`, '--inject-spike-time', '100ms'],
    )
    // The engine deals faults in the order of requests: how many of each kind 2,000 get is known beforehand.
    const deal = createFaultDealer({...rates, stallMs: 3_600_000, spikeMs: 100}, 11)
    const dealt = countBy(range(2000).map(() => deal()?.kind ?? 'none'))
    // Too many failures for the rules of the standard profile.
    const rows = await bench(
      'run',
      EXIT.validation,
      ...['--requests', '2000', '--concurrency', '64', '--prompt', 'one and the same prompt', '--ignore-eos'],
      ...['--max-tokens', '16', '--timeout-idle', '1s'],
    )
    expect(idsOf(rows)).to.deep.equal(range(2000))
    // A broken line is seen as its FIN or its RST, whichever comes first.
    const seen = countBy(rows.map(row => (row['error_type'] === 'reset' ? 'truncated' : row['error_type']!)))
    expect(seen).to.deep.equal({
      '': dealt['none']! + dealt['spike']!,
      http_5xx: dealt['error'],
      http_429: dealt['tooMany'],
      truncated: dealt['cut'],
      timeout_idle: dealt['stall'],
    })
    for (const row of rows) {
      const said = `${row['id']}: ${row['error_type']} ${row['http_status']} ${row['error']}`
      if (row['error_type'] === '') expect(row['completion_tokens'], said).to.equal('16')
      if (row['error_type'] === 'http_429') expect(row['http_status'], said).to.equal('429')
      if (row['error_type'] === 'http_5xx') expect(row['http_status'], said).to.equal('500')
      if (row['error_type'] !== '') expect(row['error'], said).not.to.equal('')
    }
    const succeeded = rows.filter(row => row['error_type'] === '').length
    expect(await counter(engine, 'vllm:request_success_total')).to.be.at.least(succeeded)
    // The engine has noticed every client that left.
    const state = (await (await fetch(`${engine.url}/kvctl/state`)).json()) as {requests: unknown[]}
    expect(state.requests).to.deep.equal([])
  })
})
