import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {expect} from 'chai'
import {runCli, type CliResult} from '../support/cli.js'
import {writeRunFixture, type RunFixtureOptions} from '../support/run-fixture.js'
import {temporaryFolder} from '../support/temporary.js'

interface Comparison {
  readonly verdict: string
  readonly figures: readonly {
    readonly metric: string
    readonly stat: string
    readonly ratio: number
    readonly ci95: readonly [number, number]
    readonly verdict: string
    readonly reason: string
  }[]
}

describe('kvctl compare', function () {
  this.timeout(60_000)
  const folder = temporaryFolder()

  const path = (name: string): string => join(folder(), name)
  const write = async (name: string, changes: Partial<RunFixtureOptions>): Promise<string> => {
    const options = {requests: 1000, warmupRequests: 0, concurrency: 8, tokens: 12, model: 'm', failure: 'no'}
    await writeRunFixture(path(name), {...options, ...changes})
    return path(name)
  }
  const compare = (...args: string[]): Promise<CliResult> => runCli(['compare', ...args])

  it('passes a run against itself and against another of the same server', async () => {
    const [a, b] = [await write('a', {seed: 1}), await write('b', {seed: 2})]
    for (const other of [a, b]) {
      const {code, stdout, stderr} = await compare(a, other, '--gate', '--tolerance', '25', '--json')
      expect(code, stdout + stderr).to.equal(0)
      const {verdict, figures} = JSON.parse(stdout) as Comparison
      expect(verdict, stdout).to.equal('PASS')
      expect(figures.map(({metric, stat}) => `${metric} ${stat}`)).to.deep.equal([
        'ttft p50',
        'ttft p95',
        'tpot p50',
        'e2e p50',
        'e2e p95',
      ])
      for (const {ratio, ci95} of figures) expect(ratio).to.be.within(ci95[0], ci95[1])
    }
  })

  it('fails a run whose TTFT is 15 % longer, with the interval that decided, and leaves with 5 under --gate', async () => {
    const [a, slow] = [await write('a', {seed: 1}), await write('slow', {seed: 2, ttftFactor: 1.15})]
    const text = await compare(a, slow)
    expect(text.code).to.equal(0)
    expect(text.stdout).to.match(
      /ttft p50 .* \+\d+\.\d %  +\+\d+\.\d % … \+\d+\.\d %  FAIL: worse than the tolerance allows/,
    )
    const gated = await compare(a, slow, '--gate', '--metric', 'ttft')
    expect([gated.code, gated.stderr.split('\n')[0]]).to.deep.equal([
      5,
      `Error: the comparison of ${slow} with ${a} is FAIL`,
    ])
    const faster = await compare(slow, a, '--gate', '--metric', 'ttft')
    expect(faster.code, 'better never fails').to.equal(0)
  })

  it('says nothing of times per token whose tokens one side had counted otherwise', async () => {
    const [a, b] = [await write('a', {seed: 1}), await write('b', {seed: 2})]
    const rows = join(b, 'requests.csv')
    await writeFile(rows, (await readFile(rows, 'utf8')).replaceAll(',usage,', ',tokenizer,'))
    const {code, stdout} = await compare(a, b, '--tolerance', '25', '--json')
    expect(code).to.equal(0)
    const {figures} = JSON.parse(stdout) as Comparison
    for (const {metric, verdict, reason} of figures) {
      const expected =
        metric === 'tpot'
          ? ['INCONCLUSIVE', 'tokens come from usage before and from tokenizer after']
          : ['PASS', 'no worse than the tolerance allows']
      expect([verdict, reason], metric).to.deep.equal(expected)
    }
    const both = await compare(b, b, '--metric', 'tpot', '--tolerance', '25')
    expect(both.stdout).to.contain('PASS: no worse than the tolerance allows; tokens from tokenizer')
  })

  it('cannot tell from few requests, which leaves with 5 under --gate unless that is allowed', async () => {
    const [a, b] = [await write('a', {requests: 15, seed: 1}), await write('b', {requests: 15, seed: 2})]
    const {code, stdout} = await compare(a, b, '--gate')
    expect(code).to.equal(5)
    expect(stdout).to.contain('INCONCLUSIVE: too few requests have it')
    expect((await compare(a, b, '--gate', '--allow-inconclusive')).code).to.equal(0)
  })

  it('takes several runs of a side as several samples of it', async () => {
    const names = await Promise.all([1, 2, 3, 4].map(seed => write(`a${seed}`, {seed, requests: 200})))
    const others = await Promise.all(
      [5, 6, 7, 8].map(seed => write(`b${seed}`, {seed, requests: 200, ttftFactor: 1.2})),
    )
    const {code, stdout} = await compare(names.join(','), others.join(','), '--gate', '--metric', 'ttft:p50')
    expect(code, stdout).to.equal(5)
  })

  it('refuses runs of different workloads and says in what they differ', async () => {
    const [a, b] = [await write('a', {}), await write('b', {concurrency: 4})]
    const {code, stderr} = await compare(a, b)
    expect([code, stderr.split('\n')[0]]).to.deep.equal([
      2,
      'Error: the runs were planned with other values of: concurrency',
    ])
    expect((await compare(a, b, '--force')).code).to.equal(0)
  })

  it('says nothing of a server behind a client that was a limit', async () => {
    const [a, slow] = [await write('a', {seed: 1}), await write('slow', {seed: 2, ttftFactor: 1.5})]
    const file = join(slow, 'meta.json')
    const meta = JSON.parse(await readFile(file, 'utf8')) as object
    const instrument = {
      ttft_error_p99_ms: 90,
      gap_error_p99_ms: 1,
      cpu_share_max: 1,
      lateness_p99_ms: 0,
      workers: 1,
    }
    await writeFile(file, JSON.stringify({...meta, instrument}))
    const {stdout} = await compare(a, slow, '--json')
    const {verdict, figures} = JSON.parse(stdout) as Comparison
    expect(verdict).to.equal('INCONCLUSIVE')
    expect(figures[0]!.reason).to.equal('the load generator was a limit')
  })
})
