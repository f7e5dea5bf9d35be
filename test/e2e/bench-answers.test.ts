import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli} from '../support/cli.js'
import {readRows, type Row} from '../support/run-files.js'
import {temporaryFolder} from '../support/temporary.js'
import {truthServers} from '../support/truth-servers.js'
import type {TruthEntry, TruthMode} from '../support/truth-server.js'

interface Results {
  readonly requests: {readonly total: number; readonly success: number}
  readonly completion_tokens_total: number
  readonly metrics: Readonly<Record<string, {readonly count?: number; readonly value?: number}>>
}
interface Answered {
  readonly row: Row
  readonly truth: TruthEntry
  /** Instants of the client on the server's clock, ms; null where they never came. */
  readonly at: (column: 'ttft_ms' | 'role_ms' | 'tllt_ms') => number | null
}

describe('kvctl bench, held to the log of the server,', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()
  const startTruthServer = truthServers()

  /** Lets every way of answering happen `times` times. */
  async function bench(
    modes: readonly TruthMode[],
    times: number,
    ...args: string[]
  ): Promise<{code: number; results: Results; answered: Answered[]}> {
    const server = await startTruthServer({modes, ttftMs: 60, gapMs: 4, tokens: 9})
    const run = join(folder(), 'run')
    const how = ['--requests', String(modes.length * times), '--concurrency', '6', '--warmup', '0']
    const {code, stderr} = await runCli(['bench', '--url', server.url, ...how, '--run-dir', run, ...args], {
      cwd: folder(),
    })
    const log = new Map((await server.stop()).map(entry => [entry.requestId, entry]))
    const rows = await readRows(run)
    expect(rows, stderr).to.have.length(modes.length * times)
    const meta = JSON.parse(await readFile(join(run, 'meta.json'), 'utf8')) as {
      origin_epoch_ms: number
      parts: readonly [{origin_monotonic_ms: number}]
    }
    const offsetMs = meta.parts[0].origin_monotonic_ms - meta.origin_epoch_ms
    const answered = rows.map((row): Answered => ({
      row,
      truth: log.get(row['request_id']!)!,
      at: column => (row[column] === '' ? null : offsetMs + Number(row['start_ms']) + Number(row[column])),
    }))
    const results = JSON.parse(await readFile(join(run, 'results.json'), 'utf8')) as Results
    return {code, results, answered}
  }

  it('finds the first and the last token of every kind of answer, and as many as there were', async () => {
    const modes: TruthMode[] = ['ok', 'role_first', 'noise', 'several_tokens', 'reasoning', 'tool_call', 'single_token', 'hidden_text', 'one_write', 'many_writes', 'no_usage', 'close_delimited'] // prettier-ignore
    const {code, results, answered} = await bench(modes, 4)
    // 5 is a rule of the standard profile that a busy machine misses.
    expect(code).to.be.oneOf([0, 5])
    expect(results.requests).to.deep.equal({total: 48, success: 48})
    const tokens = answered.reduce((sum, {truth}) => sum + truth.tokens, 0)
    expect(results.completion_tokens_total).to.equal(tokens)
    for (const {row, truth, at} of answered) {
      const {mode, tokenMs, writtenMs} = truth
      expect([row['completion_tokens'], row['chunk_count']], mode).to.deep.equal([
        String(truth.tokens),
        String(tokenMs.length),
      ])
      expect(row['tokens_source'], mode).to.equal(mode === 'no_usage' ? 'chunks' : 'usage')
      // No token can have been read before it was written; 0.01 ms are two roundings of the file.
      expect(at('ttft_ms'), mode).to.be.at.least(tokenMs[0]! - 0.01)
      expect(at('tllt_ms'), mode).to.be.at.least(tokenMs.at(-1)! - 0.01)
      if (mode === 'role_first') {
        expect(at('role_ms'), 'the role came long before').to.be.below(writtenMs[0]!)
      } else if (mode === 'single_token' || mode === 'one_write') {
        expect([row['tpot_ms'] === '', at('tllt_ms')], mode).to.deep.equal([
          mode === 'single_token',
          at('ttft_ms'),
        ])
      }
    }
  })

  it('puts every failure in its class, and the counts add up', async () => {
    const classes: readonly (readonly [TruthMode, string, string])[] = [
      ['ok', '', '200'],
      ['http_500', 'http_5xx', '500'],
      ['http_503', 'http_5xx', '503'],
      ['http_429', 'http_429', '429'],
      ['http_404', 'http_4xx', '404'],
      ['cut', 'truncated', '200'],
      ['reset', 'reset', '200'],
      ['silent_close', 'reset', '0'],
      ['stall', 'timeout_idle', '200'],
      ['mute', 'timeout_first_token', '0'],
      ['garbage', 'invalid_response', '0'],
      ['bad_event', 'invalid_response', '200'],
      ['error_event', 'stream_error', '200'],
      ['empty_stream', 'empty', '200'],
      ['many_writes', '', '200'],
      ['one_write', '', '200'],
      ['ok', '', '200'],
    ]
    const modes = classes.map(([mode]) => mode)
    // The mute answer sends no byte either: only with the longer idle limit is it the first token that is late.
    const limits = ['--timeout-ttft', '400ms', '--timeout-idle', '600ms']
    const {results, answered} = await bench(modes, 3, ...limits)
    for (const {row, truth} of answered) {
      const [, failure, status] = classes.find(([mode]) => mode === truth.mode)!
      expect([truth.mode, row['error_type']], row['error']).to.deep.equal([truth.mode, failure])
      // A reset may take with it what came before.
      if (truth.mode !== 'reset') expect(row['http_status'], truth.mode).to.equal(status)
      const waits = {http_429: '1000', http_503: '2500'}[truth.mode as string] ?? ''
      expect(row['retry_after_ms'], truth.mode).to.equal(waits)
    }
    const ok = answered.filter(({row}) => row['error_type'] === '').length
    expect(ok).to.equal(3 * 4)
    expect(results.requests).to.deep.equal({total: answered.length, success: ok})
    expect(results.metrics['error_rate']!.value).to.be.closeTo(1 - ok / answered.length, 1e-6)
  })
})
