import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {expect} from 'chai'
import {percentile} from '../../src/lib/metrics/index.js'
import {runCli} from '../support/cli.js'
import {readRows} from '../support/run-files.js'
import {temporaryFolder} from '../support/temporary.js'
import {truthServers} from '../support/truth-servers.js'

interface Distribution {
  readonly p50: number
  readonly p99: number
}
interface Results {
  readonly requests: {readonly total: number; readonly success: number}
  readonly client_limited: boolean
  readonly instrument: {readonly ttft_error_p99_ms: number}
  readonly metrics: Readonly<Record<'ttft' | 'e2e', Distribution>>
}

/** Two roundings of the file, ms. */
const ROUNDING_MS = 0.01
const p = (values: readonly number[], share: number): number =>
  percentile(Float64Array.from(values).sort(), share)!

describe('a benchmark states how far it may be off,', function () {
  this.timeout(90_000)
  const folder = temporaryFolder()
  const startTruthServer = truthServers()

  /** @returns whether the run is right within what it states, or says that it is limited; a reason when it is neither */
  async function silentError(streams: number): Promise<string | null> {
    const server = await startTruthServer({ttftMs: 150, gapMs: 60, tokens: 8})
    const run = join(folder(), `run-${streams}-${server.port}`)
    const args = ['--requests', String(2 * streams), '--concurrency', String(streams), '--warmup', '0']
    // 5 is a rule of the standard profile that a busy machine misses.
    const {code, stderr} = await runCli(
      ['bench', '--url', server.url, ...args, '--max-tokens', '8', '--run-dir', run],
      {cwd: folder()},
    )
    expect(code, stderr).to.be.oneOf([0, 5])
    const {
      requests,
      client_limited: isLimited,
      instrument,
      metrics,
    } = JSON.parse(await readFile(join(run, 'results.json'), 'utf8')) as Results
    const log = new Map((await server.stop()).map(entry => [entry.requestId, entry]))
    expect(requests).to.deep.equal({total: 2 * streams, success: 2 * streams})

    const meta = JSON.parse(await readFile(join(run, 'meta.json'), 'utf8')) as {
      origin_epoch_ms: number
      parts: readonly [{origin_monotonic_ms: number}]
    }
    const offsetMs = meta.parts[0].origin_monotonic_ms - meta.origin_epoch_ms
    const [late, trueTtft, trueE2e]: number[][] = [[], [], []]
    for (const row of await readRows(run)) {
      const {tokenMs, writtenMs} = log.get(row['request_id']!)!
      const sentMs = offsetMs + Number(row['start_ms'])
      const firstMs = sentMs + Number(row['ttft_ms'])
      expect(firstMs, 'no token is read before it was written').to.be.at.least(tokenMs[0]! - ROUNDING_MS)
      late!.push(firstMs - writtenMs[0]!)
      trueTtft!.push(writtenMs[0]! - sentMs)
      trueE2e!.push(writtenMs.at(-1)! - sentMs)
    }
    if (isLimited) return null
    const stated = instrument.ttft_error_p99_ms + ROUNDING_MS
    const figures: readonly (readonly [string, number])[] = [
      ['the p99 of the true errors of TTFT', p(late!, 0.99)],
      ['the error of the median TTFT', metrics.ttft.p50 - p(trueTtft!, 0.5)],
      ['the error of the p99 of TTFT', metrics.ttft.p99 - p(trueTtft!, 0.99)],
      ['the error of the median E2E', metrics.e2e.p50 - p(trueE2e!, 0.5)],
    ]
    const wrong = figures.filter(([, errorMs]) => errorMs > stated)
    const told = wrong.map(([name, errorMs]) => `${name} is ${errorMs.toFixed(3)} ms`)
    return wrong.length === 0 ? null : `${told.join(', ')}, stated are ${stated.toFixed(3)} ms`
  }

  for (const streams of [10, 50, 200, 1000]) {
    it(`and is within that, or calls itself limited, at ${streams} paced streams`, async () => {
      // The bound is to hold in 95 of 100 runs: one that does not is asked twice more.
      const first = await silentError(streams)
      if (first === null) return
      const more = [await silentError(streams), await silentError(streams)]
      expect(more, first).to.deep.equal([null, null])
    })
  }
})
