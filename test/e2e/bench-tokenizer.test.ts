import {once} from 'node:events'
import {mkdir, readFile, rename, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli, startCli} from '../support/cli.js'
import {pairTokens, PAIR_TOKENIZER, writePairTokenizer} from '../support/pair-tokenizer.js'
import {readRows, untilRows, type Row} from '../support/run-files.js'
import {temporaryFolder} from '../support/temporary.js'
import {truthServers} from '../support/truth-servers.js'
import type {TruthEntry, TruthMode, TruthOptions} from '../support/truth-server.js'

interface Results {
  readonly completion_tokens_total: number
  readonly tokens_source: string
  readonly tokens_sources: Readonly<Record<string, number>>
  readonly warnings: readonly {readonly code: string; readonly message: string}[]
}
interface Measured {
  readonly stderr: string
  readonly results: Results
  readonly rows: readonly Row[]
  /** By request id. */
  readonly log: ReadonlyMap<string, TruthEntry>
}

describe('kvctl bench --tokenizer', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()
  const startTruthServer = truthServers()
  const run = (): string => join(folder(), 'run')

  async function bench(server: Partial<TruthOptions>, ...args: string[]): Promise<Measured> {
    const truth = await startTruthServer({ttftMs: 10, gapMs: 2, tokens: 9, ...server})
    const tokenizer = ['--tokenizer', await writePairTokenizer(folder())]
    const how = ['--url', truth.url, '--warmup', '0', '--run-dir', run(), ...tokenizer]
    // 5 is a rule of the standard profile that a busy machine misses.
    const {code, stderr} = await runCli(['bench', ...how, ...args], {cwd: folder()})
    const log = new Map((await truth.stop()).map(entry => [entry.requestId, entry]))
    expect(code, stderr).to.be.oneOf([0, 5])
    const results = JSON.parse(await readFile(join(run(), 'results.json'), 'utf8')) as Results
    return {stderr, results, rows: await readRows(run()), log}
  }
  const said = ({results}: Measured, wanted: string): string | undefined =>
    results.warnings.find(({code}) => code === wanted)?.message

  it('counts reasoning, text and calls of tools where the server counts nothing', async () => {
    const modes: TruthMode[] = ['ok', 'role_first', 'noise', 'several_tokens', 'reasoning', 'tool_call', 'single_token', 'one_write', 'many_writes', 'no_usage'] // prettier-ignore
    const how = ['--requests', '30', '--concurrency', '6']
    const measured = await bench({modes, hidesUsage: true}, ...how)
    const {results, rows, log} = measured
    expect(rows).to.have.length(30)
    let total = 0
    for (const row of rows) {
      const {mode, generated, tokenMs} = log.get(row['request_id']!)!
      const tokens = pairTokens(generated)
      total += tokens
      expect([mode, row['completion_tokens'], row['tokens_source']]).to.deep.equal([
        mode,
        String(tokens),
        'tokenizer',
      ])
      expect(row['chunk_count'], mode).to.equal(String(tokenMs.length))
    }
    expect(results.completion_tokens_total).to.equal(total)
    expect(results.tokens_source).to.equal('tokenizer')
    expect(results.tokens_sources).to.deep.equal({tokenizer: 30})
    expect(said(measured, 'tokens_by_tokenizer')).to.match(
      /30 of 30 answers: .*tokenizer\.json counted their text/,
    )
    expect(said(measured, 'tokens_estimated')).to.equal(undefined)
    expect(await readFile(join(run(), 'report.html'), 'utf8')).to.contain('counted by a tokenizer')
  })

  it("takes the server's count where there is one, tells how far its own is from it, and says so beside a verdict", async () => {
    const slo = ['--slo', 'p50(tpot) <= 10s', '--slo', 'p50(ttft) <= 10s']
    const measured = await bench({modes: ['ok', 'no_usage']}, '--requests', '12', ...slo)
    const {results, rows, log, stderr} = measured
    let [theirs, ours] = [0, 0]
    for (const row of rows) {
      const {mode, generated, tokens} = log.get(row['request_id']!)!
      const isTold = mode === 'ok'
      const expected = isTold ? [String(tokens), 'usage'] : [String(pairTokens(generated)), 'tokenizer']
      expect([row['completion_tokens'], row['tokens_source']]).to.deep.equal(expected)
      if (!isTold) continue
      theirs += tokens
      ours += pairTokens(generated)
    }
    expect(results.tokens_source).to.equal('tokenizer')
    expect(results.tokens_sources).to.deep.equal({usage: 6, tokenizer: 6})
    expect(said(measured, 'tokenizer_differs')).to.contain(
      `6 answers have ${theirs} tokens by the server and ${ours} by`,
    )
    expect(stderr).to.match(/p50\(tpot\) <= 10s: .*tokens from tokenizer\)/)
    expect(stderr).to.match(/p50\(ttft\) <= 10s: (?!.*tokens from).*\n/)
  })

  it('gives prompts their lengths where the server cannot tell them, and leaves it to a server that can', async () => {
    const lengths = ['--requests', '20', '--prompt-tokens', '300', '--api', 'completions']
    const alone = await bench({hidesUsage: true}, ...lengths)
    expect(said(alone, 'prompt_length_by_tokenizer')).to.contain('tokenizer.json')
    expect(said(alone, 'prompt_length_estimated')).to.equal(undefined)
    const asked = alone.rows.map(row => pairTokens([alone.log.get(row['request_id']!)!.prompt]))
    for (const tokens of asked) expect(tokens).to.be.within(270, 330)
    expect(asked.reduce((sum, tokens) => sum + tokens, 0) / 20).to.be.within(290, 310)
    await rename(run(), join(folder(), 'before'))
    const told = await bench({tokenizes: true}, ...lengths)
    expect(said(told, 'prompt_length_by_tokenizer')).to.equal(undefined)
    // There a word is a token.
    for (const {prompt, requestId} of told.log.values())
      if (requestId !== '') expect(prompt.split(' ').length).to.be.within(290, 300)
  })

  it('finishes a run with the same tokenizer only, wherever it lies now', async () => {
    const truth = await startTruthServer({ttftMs: 20, gapMs: 4, tokens: 9, hidesUsage: true})
    const path = await writePairTokenizer(folder())
    const args = [
      '--url',
      truth.url,
      '--run-dir',
      run(),
      '--requests',
      '120',
      '--concurrency',
      '4',
      '--tokenizer',
      path,
    ]
    const child = startCli(['bench', ...args, '--warmup', '0'], {cwd: folder()})
    child.stderr!.resume()
    child.stdout!.resume()
    await untilRows(run(), 20)
    child.kill('SIGKILL')
    await once(child, 'close')
    const resume = (...more: string[]): ReturnType<typeof runCli> =>
      runCli(['bench', '--resume', '--run-dir', run(), ...more], {cwd: folder()})

    await mkdir(join(folder(), 'moved'))
    await rename(path, join(folder(), 'moved', 'tokenizer.json'))
    await writeFile(path, JSON.stringify({...PAIR_TOKENIZER, version: '2.0'}))
    const changed = await resume()
    expect(changed.code).to.equal(2)
    expect(changed.stderr).to.contain('another tokenizer than before')
    const other = await resume('--tokenizer', path)
    expect(other.code).to.equal(2)
    expect(other.stderr).to.contain('other values of: tokenizer')

    const {code, stderr} = await resume('--tokenizer', join(folder(), 'moved'))
    expect(code, stderr).to.be.oneOf([0, 5])
    const log = new Map((await truth.stop()).map(entry => [entry.requestId, entry]))
    const rows = await readRows(run())
    expect(rows).to.have.length(120)
    for (const row of rows)
      expect(row['completion_tokens']).to.equal(String(pairTokens(log.get(row['request_id']!)!.generated)))
  })

  it('is part of the plan, and refused before anything is sent when it is none', async () => {
    const path = await writePairTokenizer(folder())
    const plan = async (...args: string[]): Promise<unknown> => {
      const {code, stdout, stderr} = await runCli(['bench', '--dry-run', '--json', ...args], {cwd: folder()})
      expect(code, stderr).to.equal(0)
      return (JSON.parse(stdout) as {plan: {tokenizer: unknown}}).plan.tokenizer
    }
    expect(await plan('--tokenizer', 'tokenizer.json')).to.have.property('name', path)
    expect(await plan('--tokenizer', 'gpt-4')).to.have.property('name', 'cl100k_base')
    await writeFile(path, '{')
    const nowhere = ['--url', 'http://127.0.0.1:1', '--run-dir', run()]
    const {code, stderr} = await runCli(['bench', ...nowhere, '--tokenizer', path], {cwd: folder()})
    expect(code).to.equal(2)
    expect(stderr).to.contain('is no tokenizer.json that can be read')
  })
})
