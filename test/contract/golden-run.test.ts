import {cpSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {analyzeRun} from '../../src/lib/analysis/index.js'
import {judgeRun, parseObjective} from '../../src/lib/gate/index.js'
import {openRunDirectory, type RunResults} from '../../src/lib/runs/index.js'
import {readRepositoryFile, repositoryRoot} from '../support/cli.js'
import {temporaryFolder} from '../support/temporary.js'

const GOLDEN = 'test/golden/run'

/**
 * Ten answers, five seconds apart: the k-th has its first byte at 10·k ms, its first token at 20·k, its last at 90·k, its end at
 * 100·k; each of 20 + 10 tokens. An eleventh request fails; with it the run lasts 60 s to the millisecond. Nothing below needs more
 * than these lines and a pencil.
 */
describe('the golden run', () => {
  const folder = temporaryFolder()
  let results: RunResults
  let analysis: unknown
  beforeEach(async () => {
    const path = join(folder(), 'golden')
    cpSync(join(repositoryRoot, GOLDEN), path, {recursive: true})
    ;({results, analysis} = await analyzeRun(await openRunDirectory(path)))
  })
  const near = (value: number | null, expected: number): void => {
    expect(value).to.be.closeTo(expected, 1e-6)
  }

  it('has percentiles by linear interpolation between order statistics', () => {
    near(results.p50_ms, (500 + 600) / 2)
    near(results.p95_ms, 900 + 0.55 * 100) // position 0.95 · 9 = 8.55
    near(results.p99_ms, 900 + 0.91 * 100)
    near(results.ttft_p50_ms, (5 * 20 + 6 * 20) / 2)
    near(results.ttft_p95_ms, 180 + 0.55 * 20)
    near(results.time_to_first_token_ms, (20 * (1 + 10)) / 2)
    near(results.ttfb_p50_ms, 55)
    near(results.tllt_p95_ms, 90 * 9.55)
    near(results.tpot_p50_ms, ((90 - 20) * 5.5) / (10 - 1))
  })

  it('has rates over its 60 seconds, failures among the requests', () => {
    expect(results.window).to.deep.equal({start: 1_760_000_000, end: 1_760_000_060, seconds: 60})
    expect(results.requests).to.deep.equal({total: 11, success: 10})
    near(results.throughput_rps, 10 / 60)
    near(results.tokens_per_sec, (10 * 10) / 60)
    near(results.error_rate, 1 / 11)
    near(results.performance.success_rate, 10 / 11)
    expect(results.outcomes).to.deep.equal({ok: 10, http_5xx: 1})
  })

  it('costs what a GPU, two cores and 12 GiB cost for a minute, with 10 % overhead', () => {
    const hourly = (1.5 + 2 * 0.04 + 12 * 0.005) * 1.1
    near(results.total_cost, hourly / 60) // 0.03006667
    near(results.cost_per_request, hourly / 60 / 10)
    near(results.cost_per_1k_tokens, (hourly / 60 / 300) * 1000) // 10 · (20 + 10) tokens
    near(results.cost_per_1k_output_tokens, (hourly / 60 / 100) * 1000)
    expect(results.cost).to.deep.equal({
      cost_per_1k_tokens: '$0.1002',
      hourly_cost: '$1.80',
      breakdown: {gpu: '$1.65', cpu: '$0.09', memory: '$0.06'},
    })
  })

  it('took the energy that the counter of its GPU says', () => {
    near(results.energy_wh, (7000 - 1000) / 3600)
    near(results.energy_wh_per_request, 6000 / 3600 / 10)
    near(results.energy_wh_per_1k_tokens, (6000 / 3600 / 300) * 1000)
    expect(results).to.include({energy_source: 'counter', energy_coverage: 1})
    expect(results.energy).to.deep.equal({energy_per_1k_tokens_wh: 5.555556, total_energy_wh: 1.666667})
    expect(results.metrics['energy_per_output_token']).to.deep.equal({unit: 'J/token', value: 60})
  })

  it('passes and fails a gate by these figures, and fails what it does not have', () => {
    const judged = (text: string): string =>
      judgeRun(results, [parseObjective(text)], {allowsMissing: false}).verdict
    expect(judged('error_rate <= 10%')).to.equal('PASS')
    expect(judged('error_rate <= 9%')).to.equal('FAIL')
    expect(judged('cost_per_1k_tokens <= 0.11')).to.equal('PASS')
    expect(judged('cost_per_1k_tokens <= 0.10')).to.equal('FAIL')
    expect(judged('energy_wh_per_1k_tokens <= 6')).to.equal('PASS')
    expect(judged('energy_wh_per_1k_tokens <= 5')).to.equal('FAIL')
    expect(judged('p95_ms <= 1000')).to.equal('INCONCLUSIVE') // 955 ms, but ten samples bound no p95
    expect(judged('cold_multiplier <= 3')).to.equal('FAIL')
  })

  for (const [name, document] of [
    ['results.json', () => results],
    ['analysis.json', () => analysis],
  ] as const) {
    it(`gives ${name} to the last digit`, () => {
      const text = `${JSON.stringify(document(), null, 2)}\n`
      const file = `${GOLDEN}-${name}`
      if (process.env['KVCTL_UPDATE_SNAPSHOTS']) writeFileSync(join(repositoryRoot, file), text)
      expect(JSON.parse(text)).to.deep.equal(JSON.parse(readRepositoryFile(file)))
    })
  }
})
