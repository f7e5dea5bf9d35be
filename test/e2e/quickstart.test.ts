import {once} from 'node:events'
import {existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import type {TimeSample} from '../../src/lib/runs/index.js'
import {runCli, startCli} from '../support/cli.js'
import {temporaryFolder} from '../support/temporary.js'

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** The name of the engine's segment and its process, from the text of the tour. */
function engineOf(stdout: string): {segment: string; pid: number} {
  return {segment: /^ {3}(kvcached_\S+)/m.exec(stdout)![1]!, pid: Number(/\(pid (\d+)\)/.exec(stdout)![1])}
}

/** The document as a reader of JSON gets it: sizes are plain numbers there. */
interface QuickstartNumbers {
  readonly engine: {readonly segment: string}
  readonly segment: {readonly limit_bytes: number}
  readonly limit: Readonly<
    Record<'previous_limit_bytes' | 'limit_bytes' | 'held_before_bytes' | 'held_after_bytes', number>
  > & {readonly obeyed: boolean}
  readonly requests: unknown
  readonly run_dir: string
  readonly report: string
  readonly next: readonly string[]
}

describe('kvctl quickstart', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()

  it('tells the tour in plain text of 80 columns and leaves only the run directory', async () => {
    const {code, stdout, stderr} = await runCli(['quickstart'], {cwd: folder()})
    expect(code, stderr).to.equal(0)
    expect(stdout).to.match(
      /1 {2}Engine\n[^]*2 {2}Segment\n {3}IPC +Limit[^]*3 {2}Benchmark[^]*limit 256\.00 MB → [^]*: obeyed\.\n[^]*4 {2}Report\n[^]*Next\n( {3}kvctl .*\n){3}$/,
    )
    expect(stdout).to.include('50 of 50 requests succeeded')
    expect(stdout + stderr).not.to.include('\u001b')
    for (const line of stdout.split('\n')) expect(line.length, line).to.be.at.most(80)
    const report = /4 {2}Report\n {3}(.+)\n/.exec(stdout)![1]!
    expect(readFileSync(join(folder(), report), 'utf8')).to.include('limit changed during the run')
    const {segment, pid} = engineOf(stdout)
    expect(existsSync(`/dev/shm/${segment}`), 'the segment').to.equal(false)
    expect(isAlive(pid), 'the engine').to.equal(false)
  })

  it('answers one document under --json, with an observed and obeyed limit', async () => {
    const run = join(folder(), 'tour')
    const {code, stdout, stderr} = await runCli(['quickstart', '--json', '--output-dir', run])
    expect(code, stderr).to.equal(0)
    const tour = JSON.parse(stdout) as QuickstartNumbers
    expect(tour.limit.obeyed).to.equal(true)
    expect(tour.limit.held_before_bytes).to.be.greaterThan(tour.limit.limit_bytes)
    expect(tour.limit.held_after_bytes).to.be.at.most(tour.limit.limit_bytes)
    expect(tour.limit.previous_limit_bytes).to.equal(tour.segment.limit_bytes)
    expect(tour.requests).to.deep.equal({total: 50, success: 50})
    expect(tour.run_dir).to.equal(realpathSync(run))
    expect(tour.report).to.equal(join(realpathSync(run), 'report.html'))
    expect(tour.next).to.have.length(3)
    const looks = readFileSync(join(run, 'timeseries.jsonl'), 'utf8').trim().split('\n')
    const limits = looks.flatMap(look => {
      const {segments = []} = JSON.parse(look) as TimeSample
      return segments.map(segment => segment.limit_bytes)
    })
    expect([...new Set(limits)]).to.deep.equal([tour.limit.previous_limit_bytes, tour.limit.limit_bytes])
    expect(existsSync(`/dev/shm/${tour.engine.segment}`)).to.equal(false)
  })

  it('cleans up after Ctrl-C and leaves with 130', async () => {
    const child = startCli(['quickstart'], {cwd: folder()})
    let [stdout, stderr] = ['', '']
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      if (/^3 {2}Benchmark/m.test(stdout)) child.kill('SIGINT')
    })
    const [code] = (await once(child, 'close')) as [number]
    expect(code).to.equal(130)
    expect(stderr).to.match(/Error: stopped by SIGINT\n$/)
    const {segment, pid} = engineOf(stdout)
    expect(existsSync(`/dev/shm/${segment}`), 'the segment').to.equal(false)
    expect(isAlive(pid), 'the engine').to.equal(false)
  })

  it('refuses a run directory that holds a run already, with 4, and leaves no engine', async () => {
    const run = join(folder(), 'tour')
    mkdirSync(run)
    writeFileSync(join(run, 'meta.json'), '{}')
    const {code, stdout, stderr} = await runCli(['quickstart', '--output-dir', run])
    expect(code).to.equal(4)
    expect(stderr).to.match(/^Error: .* already holds a run \(meta\.json\)\n/)
    const {segment, pid} = engineOf(stdout)
    expect(existsSync(`/dev/shm/${segment}`), 'the segment').to.equal(false)
    expect(isAlive(pid), 'the engine').to.equal(false)
  })
})
