import {once} from 'node:events'
import {mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {createServer, type AddressInfo} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli, startCli} from '../support/cli.js'
import {readRows} from '../support/run-files.js'
import {startTruthServer, type TruthServer} from '../support/truth.js'
import {until} from '../support/until.js'

type Json = Readonly<Record<string, never>>

async function readJson(folder: string, name: string): Promise<Json> {
  return JSON.parse(await readFile(join(folder, name), 'utf8')) as Json
}

/** A port on which nothing listens: one that was free a moment ago. */
async function deadPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const {port} = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

describe('kvctl bench', function () {
  this.timeout(60_000)
  let folder: string
  let server: TruthServer | null = null

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kvctl-bench-'))
  })

  afterEach(async () => {
    await server?.stop()
    server = null
    await rm(folder, {recursive: true, force: true})
  })

  const bench = (...args: string[]): ReturnType<typeof runCli> =>
    runCli(['bench', ...args, ...(args.includes('--warmup') ? [] : ['--warmup', '0'])], {
      cwd: folder,
      env: {KVMINI_OUTPUT_DIR: join(folder, 'runs')},
    })

  it('accounts for every one of 200 requests, with the tokens that the server counted', async () => {
    server = await startTruthServer({ttftMs: 10, gapMs: 1, tokens: 12})
    const run = join(folder, 'run')
    const {code, stdout, stderr} = await bench(
      ...['--url', server.url, '--requests', '200', '--concurrency', '16', '--warmup', '16'],
      ...['--output-dir', run, '--json'],
    )
    expect(code, stderr).to.equal(0)
    const results = JSON.parse(stdout) as {requests: Json; status: string; completion_tokens_total: number}
    expect(results.requests).to.deep.equal({total: 200, success: 200})
    expect(results.completion_tokens_total).to.equal(200 * 12)
    const truth = new Map((await server.stop()).map(entry => [entry.requestId, entry]))
    server = null
    const rows = await readRows(run)
    const measured = rows.filter(({phase}) => phase === 'measure')
    expect(measured).to.have.length(200)
    expect(new Set(rows.map(({request_id: id}) => id)).size).to.equal(200 + 16)
    for (const row of rows) {
      const entry = truth.get(row['request_id']!)!
      expect(Number(row['completion_tokens'])).to.equal(entry.tokens)
      expect(Number(row['prompt_tokens'])).to.equal(entry.promptTokens)
      // The answer cannot come before the server sent it.
      const trueTtftMs = entry.tokenMs[0]! - entry.receivedMs
      expect(Number(row['ttft_ms'])).to.be.at.least(trueTtftMs - 0.01)
    }
    expect((await readdir(run)).sort()).to.deep.equal([
      'analysis.json',
      'gaps.bin',
      'meta.json',
      'report.html',
      'requests.csv',
      'results.json',
      'timeseries.jsonl',
    ])
    expect(await readJson(run, 'meta.json')).to.include({status: 'complete', mode: 'closed', model: 'truth'})
  })

  it('sends on schedule at a rate, and two runs with one seed have one schedule', async () => {
    server = await startTruthServer({ttftMs: 5, gapMs: 1, tokens: 4})
    const schedules: {hash: unknown; offsetsMs: number[]}[] = []
    for (const name of ['a', 'b']) {
      const run = join(folder, name)
      const args = ['--rate', '100', '--pattern', 'poisson', '--requests', '50', '--seed', '7']
      const {code, stderr} = await bench('--url', server.url, ...args, '--output-dir', run)
      expect(code, stderr).to.equal(0)
      const rows = (await readRows(run)).sort((left, right) => Number(left['id']) - Number(right['id']))
      const startMs = Number(rows[0]!['scheduled_ms'])
      schedules.push({
        hash: (await readJson(run, 'meta.json'))['schedule_sha256'],
        offsetsMs: rows.map(row => Number(row['scheduled_ms']) - startMs),
      })
    }
    const [first, second] = schedules as [(typeof schedules)[0], (typeof schedules)[0]]
    expect(first.hash).to.equal(second.hash)
    // The file has three decimals of an epoch: two roundings of 0.0005 ms each way.
    for (const [at, offsetMs] of first.offsetsMs.entries())
      expect(offsetMs).to.be.closeTo(second.offsetsMs[at]!, 0.01)
  })

  it('keeps what was measured when it is interrupted, and leaves with 130', async () => {
    server = await startTruthServer({ttftMs: 50, gapMs: 20, tokens: 20})
    const run = join(folder, 'run')
    const args = [
      'bench',
      '--url',
      server.url,
      '--requests',
      '500',
      '--concurrency',
      '4',
      '--warmup',
      '0',
      '--output-dir',
      run,
    ]
    const child = startCli(args, {cwd: folder})
    // The load process flushes four times a second: wait for finished rows, then interrupt.
    for (let tries = 0; tries < 200; tries++) {
      const text = await readFile(join(run, 'requests.csv'), 'utf8').catch(() => '')
      if (text.split('\n').length > 8) break
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    child.kill('SIGINT')
    const [code] = (await once(child, 'close')) as [number | null]
    expect(code).to.equal(130)
    expect(await readJson(run, 'meta.json')).to.include({status: 'interrupted'})
    const rows = await readRows(run)
    const outcomes = rows.map(row => row['error_type'])
    expect(outcomes.filter(type => type === 'aborted')).to.have.length(4)
    expect(outcomes.filter(type => type === '').length).to.be.at.least(4)
    expect(await readJson(run, 'results.json')).to.include({status: 'interrupted'})
    expect(await readdir(run)).to.include('report.html')
  })

  it('pauses its load processes with itself at Ctrl-Z, and goes on with them', async () => {
    server = await startTruthServer({ttftMs: 5, gapMs: 1, tokens: 5})
    const args = ['bench', '--url', server.url, '--requests', '400', '--concurrency', '2']
    const child = startCli([...args, '--output-dir', join(folder, 'run')], {cwd: folder})
    const ended = once(child, 'close')
    const states = async (): Promise<string[]> => {
      const pids = (await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')).trim().split(' ')
      const stats = await Promise.all(
        [child.pid, ...pids].map(pid => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')),
      )
      return stats.map(stat => stat.slice(stat.lastIndexOf(')') + 2)[0]!)
    }
    const rows = async (): Promise<number> =>
      (await readFile(join(folder, 'run', 'requests.csv'), 'utf8').catch(() => '')).split('\n').length
    await until(
      async () => (await rows()) > 8,
      () => 'no rows',
    )
    child.kill('SIGTSTP')
    let seen: string[] = []
    await until(
      async () => (seen = await states()).length >= 2 && seen.every(state => state === 'T'),
      () => seen.join(' '),
    )
    child.kill('SIGCONT')
    expect((await ended)[0]).to.equal(0)
    expect(await readRows(join(folder, 'run'))).to.have.length.at.least(400)
  })

  it('leaves with 3 and one line when no server answers', async () => {
    const url = `http://127.0.0.1:${await deadPort()}`
    const {code, stdout, stderr} = await bench('--url', url)
    expect({code, stdout}).to.deep.equal({code: 3, stdout: ''})
    expect(stderr.split('\n')[0]).to.match(new RegExp(`^Error: ${url}/v1/models cannot be reached`))
    expect(await readdir(folder)).to.deep.equal([])
    const json = await bench('--url', url, '--json')
    expect((JSON.parse(json.stdout) as {error: Json}).error).to.include({
      code: 'ENDPOINT_UNREACHABLE',
      exit_code: 3,
    })
  })

  it('leaves with 1 when nothing could be measured, and still keeps the run', async () => {
    server = await startTruthServer({modes: ['http_500']})
    const run = join(folder, 'run')
    const {code, stderr} = await bench('--url', server.url, '--requests', '5', '--output-dir', run)
    expect(code).to.equal(1)
    expect(stderr).to.contain('no request of the run succeeded (5 × http_5xx)')
    expect(await readRows(run)).to.have.length(5)
  })

  it("judges the run by its profile's rules: PASS and FAIL on stderr, 5 with every missed rule named", async () => {
    server = await startTruthServer({ttftMs: 20, gapMs: 1, tokens: 4})
    const profile = join(folder, 'strict.yaml')
    await writeFile(
      profile,
      'load_test: {requests: 10, concurrency: 2}\nvalidation: {min_success_rate: 0.95, max_avg_ttft_ms: 10, max_cost_per_1k_tokens: 1}\n',
    )
    const run = join(folder, 'run')
    const {code, stderr} = await bench('--url', server.url, '--profile', profile, '--output-dir', run)
    expect(code).to.equal(5)
    expect(stderr).to.match(/^PASS min_success_rate: success_rate 1 ≥ 0\.95$/m)
    expect(stderr).to.match(/^FAIL max_avg_ttft_ms: time_to_first_token_ms [\d.]+ > 10$/m)
    expect(stderr).to.match(/^FAIL max_cost_per_1k_tokens: the run has no cost_per_1k_tokens$/m)
    expect(stderr).to.match(
      /^Error: the run misses 2 rules of profile strict: max_avg_ttft_ms \(.*\), max_cost_per_1k_tokens \(.*\)$/m,
    )
    expect((await readdir(run)).sort()).to.include.members(['report.html', 'results.json'])
    expect(await readJson(run, 'results.json')).to.have.nested.property('validation.passed', false)
    const analysed = await runCli(['analyze', '--run-dir', run])
    expect(analysed.code).to.equal(0)
    expect(analysed.stderr).to.contain('PASS min_success_rate')
  })

  it('prices the run when it is told what the server holds, and holds the price to its rule', async () => {
    server = await startTruthServer({ttftMs: 5, gapMs: 1, tokens: 4})
    const profile = join(folder, 'cheap.yaml')
    await writeFile(
      profile,
      'load_test: {requests: 10, concurrency: 2}\nvalidation: {max_cost_per_1k_tokens: 1000}\n',
    )
    await writeFile(join(folder, 'cost.yaml'), 'gpu: {NVIDIA-A10: 3600}\noverhead: {fraction: 0}\n')
    const args = ['--url', server.url, '--profile', profile, '--gpu-type', 'A10', '--json']
    const {code, stdout, stderr} = await bench(...args)
    expect(code, stderr).to.equal(0)
    const results = JSON.parse(stdout) as {total_cost: number; window: {seconds: number}; validation: Json}
    expect(results.total_cost).to.be.closeTo(results.window.seconds, 1e-9) // 3600 an hour is 1 a second
    expect(results.validation).to.include({passed: true})
    const unknown = await bench('--dry-run', '--gpu-type', 'H200')
    expect(unknown.code).to.equal(2)
    const unseen = await bench('--url', server.url, '--requests', '2', '--cost-file', 'cost.yaml')
    expect(unseen.stderr).to.contain('the run is not priced: no GPU was seen to serve it')
  })

  it('names what it does not find with 4', async () => {
    server = await startTruthServer()
    const {code, stderr} = await bench('--url', server.url, '--model', 'other')
    expect(code).to.equal(4)
    expect(stderr).to.contain("does not serve a model 'other'").and.to.contain('--model truth')
  })

  it('refuses bad flags with 2', async () => {
    const bad = [
      ['--requests', '0'],
      ['--requests', 'many'],
      ['--rate', '-1'],
      ['--pattern', 'sideways'],
      ['--pattern', 'constant'],
      ['--url', 'localhost:8000'],
      ['--duration', 'soon'],
      ['--prompt', 'x', '--prompt-tokens', '5'],
      ['--no-such-flag'],
    ]
    for (const args of bad) {
      const {code, stderr, stdout} = await bench('--dry-run', ...args)
      expect(code, args.join(' ')).to.equal(2)
      expect(stdout, args.join(' ')).to.equal('')
      expect(stderr, args.join(' ')).to.match(/^Error: /)
    }
  })

  it('says what is missing for a deployment, with 3', async () => {
    const {code, stderr} = await bench('--model-uri', 's3://models/x', '--service', 'demo')
    expect(code).to.equal(3)
    expect(stderr).to.match(/no Kubernetes cluster can be reached|kubectl is not installed/)
  })

  it('plans without network and without disk on --dry-run', async () => {
    const url = `http://127.0.0.1:${await deadPort()}`
    const args = ['--dry-run', '--url', url, '--requests', '30', '--rate', '10', '--pattern', 'bursty']
    const {code, stdout} = await bench(...args, '--json')
    expect(code).to.equal(0)
    const {target, plan} = JSON.parse(stdout) as {target: Json; plan: Json}
    expect(target).to.deep.equal({url, urls: [url], model: null, is_embedded: false})
    expect(plan).to.include({pattern: 'bursty', mode: 'open', requests: 30, duration_seconds: 30 / 10})
    expect(await readdir(folder)).to.deep.equal([])
    const text = await bench(...args)
    expect(text.stdout).to.match(/^requests +30$/m)
  })

  it('plans the burst profile as bursts on a schedule', async () => {
    const {code, stdout} = await bench('--dry-run', '--profile', 'burst', '--json')
    expect(code).to.equal(0)
    // Without a rate, 300 requests by 25 users take 300 / 25 seconds.
    expect((JSON.parse(stdout) as {plan: Json}).plan).to.include({
      ...{pattern: 'bursty', mode: 'open', requests: 300, max_tokens: 128, duration_seconds: 12},
    })
  })

  it("measures kvctl's own engine without --url, and leaves nothing behind", async () => {
    const run = join(folder, 'run')
    const args = ['--profile', 'cpu-smoke', '--requests', '20', '--max-tokens', '16', '--output-dir', run]
    const {code, stderr} = await bench(...args)
    expect(code, stderr).to.equal(0)
    expect(stderr).to.contain("measuring kvctl's own engine")
    const meta = (await readJson(run, 'meta.json')) as unknown as {server: {pid: number; segment: string}}
    const rows = await readRows(run)
    expect(rows.map(row => row['completion_tokens'])).to.deep.equal(Array(20).fill('16'))
    expect(() => process.kill(meta.server.pid, 0), 'the engine still runs').to.throw(/ESRCH/)
    expect(await readdir('/dev/shm')).not.to.include(meta.server.segment)
    const samples = (await readFile(join(run, 'timeseries.jsonl'), 'utf8')).trim().split('\n')
    expect(JSON.parse(samples.at(-1)!)).to.have.nested.property('segments[0].name', meta.server.segment)
  })
})
