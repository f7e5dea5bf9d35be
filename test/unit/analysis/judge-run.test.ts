import {expect} from 'chai'
import {judgeRun, missedRules} from '../../../src/lib/analysis/index.js'
import {profileSchema} from '../../../src/lib/profiles/profile.js'
import {readResults, writeMeta, type RunDirectory, type RunResults} from '../../../src/lib/runs/index.js'
import {writeRunFixture} from '../../support/run-fixture.js'
import {temporaryFolder} from '../../support/temporary.js'

describe("a profile's validation block", () => {
  const folder = temporaryFolder()
  let run: RunDirectory
  let results: RunResults

  beforeEach(async () => {
    run = await writeRunFixture(folder(), {
      ...{requests: 50, warmupRequests: 0, concurrency: 4, tokens: 8, model: 'toy', failure: 'full'},
    })
    // Each 25th request fails: 48 of 50 succeed.
    results = {...(await readResults(run)), cost_per_1k_tokens: 0.5, energy_wh_per_1k_tokens: 10}
  })

  const figures: Readonly<Record<string, (results: RunResults) => number | null>> = {
    min_success_rate: () => 48 / 50,
    max_error_rate: () => 2 / 50,
    max_p95_latency_ms: ({performance}) => performance.p95_latency_ms,
    max_p99_latency_ms: ({performance}) => performance.p99_latency_ms,
    max_avg_ttft_ms: ({time_to_first_token_ms: mean}) => mean,
    max_p95_ttft_ms: ({ttft_p95_ms: p95}) => p95,
    min_throughput_rps: ({performance}) => performance.throughput_rps,
    min_tokens_per_second: ({tokens_per_sec: rate}) => rate,
    max_cost_per_1k_tokens: () => 0.5,
    max_energy_per_1k_tokens_wh: () => 10,
  }
  for (const [rule, figureOf] of Object.entries(figures)) {
    it(`${rule} is met by its bound and missed by less than that`, () => {
      const figure = figureOf(results)!
      const isMin = rule.startsWith('min_')
      expect(missedRules({[rule]: figure}, results)).to.deep.equal([])
      const stricter = isMin ? figure * 1.01 : figure * 0.99
      expect(missedRules({[rule]: stricter}, results)).to.deep.equal([
        `${rule.slice(4)} is ${figure}, ${isMin ? 'below' : 'above'} ${stricter}`,
      ])
    })
  }

  it('is judged in every key that a profile may have', () => {
    expect(Object.keys(profileSchema.shape.validation.unwrap().shape)).to.deep.equal(Object.keys(figures))
  })

  it('is missed where a figure is not known', () => {
    const unknown = {...results, cost_per_1k_tokens: null}
    expect(missedRules({max_cost_per_1k_tokens: 1}, unknown)).to.deep.equal([
      'cost_per_1k_tokens is not known and max_cost_per_1k_tokens is 1',
    ])
  })

  it('is read from the run, and a run without one meets it', async () => {
    expect(await judgeRun(run, results)).to.equal(null)
    await writeMeta(run, {profile: {metadata: {name: 'own'}, validation: {min_success_rate: 0.99}}})
    const error = await judgeRun(run, results)
    expect(error).to.include({code: 'VALIDATION_MISSED', exitCode: 5})
    expect(error!.message).to.contain('success_rate is 0.96, below 0.99')
  })
})
