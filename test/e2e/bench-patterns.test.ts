import {mkdtemp, readFile, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {expect} from 'chai'
import {arrivalTimesMs, type ArrivalProcess} from '../../src/lib/bench/arrivals.js'
import type {RunResults} from '../../src/lib/runs/index.js'
import {runCli} from '../support/cli.js'
import {readRows, type Row} from '../support/run-files.js'
import {startTruthServer} from '../support/truth.js'
import type {TruthEntry} from '../support/truth-server.js'

interface Request {
  readonly row: Row
  readonly truth: TruthEntry
  /** Planned and real, ms since the first plan; the latter by the server's own clock. */
  readonly scheduledMs: number
  readonly receivedMs: number
}

interface Meta {
  readonly origin_epoch_ms: number
  readonly parts: readonly [{readonly origin_monotonic_ms: number; readonly measure_start_ms: number}]
}

const [REQUESTS, RATE] = [40, 200]
const process: ArrivalProcess = {
  pattern: 'constant',
  requests: REQUESTS,
  ratePerSecond: RATE,
  durationSeconds: REQUESTS / RATE,
  seed: 42,
  burstiness: 0.3,
  rampFromPerSecond: 20,
  onSeconds: 0.02,
  offSeconds: 0.03,
  offRatePerSecond: 10,
  stages: [],
}
const STAGES = [
  {ratePerSecond: 100, seconds: 0.1},
  {ratePerSecond: 300, seconds: 0.1},
]

describe('kvctl load-test sends as its pattern says,', function () {
  this.timeout(60_000)
  let folder = ''

  /** What each title sends; all runs are made before, some at a time, as each mostly starts and waits. */
  const sends = new Map<string, readonly string[]>()
  const sent = new Map<string, Request[]>()
  const sending = (
    title: string,
    args: readonly string[],
    check: (requests: readonly Request[]) => void,
  ): void => {
    sends.set(title, args)
    let timesAsked = 0
    it(title, async () => {
      // The machine may have been busy: a test that is asked again judges another run.
      if (timesAsked++ > 0)
        sent.set(title, await send(join(await mkdtemp(join(folder, 'again-')), 'run'), args))
      check(sent.get(title)!)
    })
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kvctl-patterns-'))
    const left = [...sends]
    const work = async (): Promise<void> => {
      for (let next = left.pop(); next; next = left.pop()) {
        sent.set(next[0], await send(join(folder, String(left.length)), next[1]))
      }
    }
    await Promise.all([work(), work(), work()])
  })
  after(() => rm(folder, {recursive: true}))

  async function send(run: string, args: readonly string[]): Promise<Request[]> {
    const server = await startTruthServer({ttftMs: 4, gapMs: 1, tokens: 2})
    const how = ['--requests', String(REQUESTS), '--warmup', '0', '--run-dir', run]
    const {code, stderr} = await runCli(['load-test', '--url', server.url, ...how, '--pattern', ...args])
    const entries = await server.stop()
    expect(code, stderr).to.equal(0)
    const log = new Map(entries.map(entry => [entry.requestId, entry]))
    const meta = JSON.parse(await readFile(join(run, 'meta.json'), 'utf8')) as Meta
    const [{origin_monotonic_ms: originMs, measure_start_ms: startMs}] = meta.parts
    const rows = (await readRows(run)).sort((left, right) => Number(left['id']) - Number(right['id']))
    expect(rows).to.have.length(REQUESTS)
    return rows.map(row => {
      const truth = log.get(row['request_id']!)!
      return {
        row,
        truth,
        scheduledMs: Number(row['scheduled_ms']) - meta.origin_epoch_ms - startMs,
        receivedMs: truth.receivedMs - originMs - startMs,
      }
    })
  }

  const rate = ['--rate', String(RATE)]
  const open: readonly (readonly [Exclude<ArrivalProcess['pattern'], 'steady'>, string[], Partial<ArrivalProcess>])[] = [
    ['constant', rate, {}],
    ['poisson', rate, {}],
    ['gamma', [...rate, '--burstiness', '0.3'], {}],
    ['bursty', rate, {}],
    ['burst', rate, {}],
    ['heavy', rate, {}],
    ['ramp', [...rate, '--ramp-from', '20'], {}],
    ['ramp-linear', ['--ramp-from', '20', '--ramp-to', '380'], {}],
    ['ramp-exp', [...rate, '--ramp-from', '20'], {}],
    ['on-off', [...rate, '--on-time', '20ms', '--off-time', '30ms', '--off-rate', '10'], {}],
    ['stages', ['--stages', '100:100ms,300:100ms'], {stages: STAGES}],
    ['inf', ['--max-concurrency', '8'], {}],
  ] // prettier-ignore

  for (const [pattern, args, changes] of open) {
    sending(
      `${pattern}: each request at its time of the schedule, never before`,
      [pattern, ...args],
      requests => {
        const expected = arrivalTimesMs({...process, pattern, ...changes})
        for (const [place, {scheduledMs, receivedMs}] of requests.entries()) {
          expect(scheduledMs).to.be.closeTo(expected[place]!, 0.01)
          expect(receivedMs, 'the server can have it only after that').to.be.at.least(scheduledMs - 0.01)
        }
        if (pattern === 'inf') expect(mostAtOnce(requests)).to.be.within(2, 8)
      },
    )
  }

  sending(
    'steady without a rate: so many at a time, the next when one is answered',
    ['steady', '--concurrency', '5'],
    requests => {
      expect(mostAtOnce(requests)).to.be.within(2, 5)
      expect(new Set(requests.map(({truth}) => truth.port)).size).to.equal(5)
    },
  )

  sending(
    'steady with a ramp-up: its slots begin one after the other',
    ['steady', '--concurrency', '4', '--ramp-up', '400ms'],
    requests => {
      // The second begins after 100 ms, of which half are left for a first one that is late.
      const first = requests[0]!.scheduledMs
      const before = requests.filter(({receivedMs}) => receivedMs < first + 50)
      expect(mostAtOnce(before)).to.equal(1)
      expect(mostAtOnce(requests)).to.be.at.least(2)
    },
  )

  sending(
    'users: each sends again a fixed time after its last request, together at the rate',
    ['users', '--concurrency', '4', '--rate', '100'],
    requests => {
      // Four users at 100/s: each sends every 40 ms, and 10 ms after the one before.
      // Late ones may overtake each other, but of any five two are of one user.
      const times = requests.map(({scheduledMs}) => scheduledMs).sort((left, right) => left - right)
      for (const [place, at] of times.entries()) {
        if (place >= 4) expect(at - times[place - 4]!).to.be.at.least(40 - 0.01)
        else expect(at - times[0]!).to.be.closeTo(10 * place, 0.01)
      }
      for (const {receivedMs, scheduledMs} of requests) expect(receivedMs).to.be.at.least(scheduledMs - 0.01)
    },
  )

  sending(
    'poisson, normalised: the last request lies at requests / rate',
    ['poisson', ...rate, '--normalize-arrivals'],
    requests => {
      expect(requests.at(-1)!.scheduledMs).to.be.closeTo((REQUESTS * 1000) / RATE, 0.01)
    },
  )
})

describe('kvctl bench in stages', function () {
  this.timeout(60_000)
  let folder = ''
  beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'kvctl-stages-'))))
  afterEach(() => rm(folder, {recursive: true}))

  it('of requests in flight: so many at a time in each, from two processes too, and a result for each', async () => {
    const server = await startTruthServer({ttftMs: 20, gapMs: 1, tokens: 2})
    const run = join(folder, 'run')
    const load = ['--stages', '6c:500ms,2c:500ms', '--workers', '2', '--warmup', '2']
    const {code, stdout, stderr} = await runCli([
      'bench',
      '--url',
      server.url,
      ...load,
      '--run-dir',
      run,
      '--json',
    ])
    const truth = await server.stop()
    expect(code, stderr).to.equal(0)
    const {stages, requests, warnings} = JSON.parse(stdout) as RunResults
    // That they end by their time, and differ, is as it was wanted.
    expect(warnings.map(({code}) => code)).not.to.include.oneOf(['requests_missing', 'unstable'])
    expect(stages.map(({concurrency, seconds}) => [concurrency, seconds])).to.deep.equal([
      [6, 0.5],
      [2, 0.5],
    ])
    expect(stages[0]!.requests + stages[1]!.requests).to.equal(requests.total)
    const meta = JSON.parse(await readFile(join(run, 'meta.json'), 'utf8')) as Meta
    const log = new Map(truth.map(entry => [entry.requestId, entry]))
    const edgeMs = meta.origin_epoch_ms + meta.parts[0].measure_start_ms + 500
    const rows = (await readRows(run)).map(row => ({
      sentAfterEdgeMs: Number(row['start_ms']) - edgeMs,
      truth: log.get(row['request_id']!)!,
    }))
    expect(mostAtOnce(rows.filter(({sentAfterEdgeMs: ms}) => ms < 0))).to.be.within(3, 6)
    // Each process has its own edge, a little after the first one's.
    expect(mostAtOnce(rows.filter(({sentAfterEdgeMs: ms}) => ms > 150))).to.be.within(1, 2)
  })
})

/** By the server's log: from the reading of a request to its last token. */
function mostAtOnce(requests: readonly Pick<Request, 'truth'>[]): number {
  const events = requests.flatMap(({truth}) => [
    {at: truth.receivedMs, step: 1},
    {at: truth.writtenMs.at(-1)!, step: -1},
  ])
  events.sort((left, right) => left.at - right.at || left.step - right.step)
  let [now, most] = [0, 0]
  for (const {step} of events) most = Math.max(most, (now += step))
  return most
}
