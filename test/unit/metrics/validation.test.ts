import {expect} from 'chai'
import {evaluateValidation, VALIDATION_RULES, type ValidatedFigures} from '../../../src/lib/metrics/index.js'
import {profileSchema} from '../../../src/lib/profiles/index.js'

const FIGURES: ValidatedFigures = {
  success_rate: 0.95,
  error_rate: 0.05,
  p95_ms: 1000,
  p99_ms: 1200,
  time_to_first_token_ms: 80,
  ttft_p95_ms: 150,
  throughput_rps: 12,
  tokens_per_sec: 900,
  cost_per_1k_tokens: 0.0023,
  energy_wh_per_1k_tokens: 0.4,
}

describe('the validation of a run', () => {
  for (const [rule, metric] of [
    ['min_success_rate', 'success_rate'],
    ['max_error_rate', 'error_rate'],
    ['max_p95_latency_ms', 'p95_ms'],
    ['max_p99_latency_ms', 'p99_ms'],
    ['max_avg_ttft_ms', 'time_to_first_token_ms'],
    ['max_p95_ttft_ms', 'ttft_p95_ms'],
    ['min_throughput_rps', 'throughput_rps'],
    ['min_tokens_per_second', 'tokens_per_sec'],
    ['max_cost_per_1k_tokens', 'cost_per_1k_tokens'],
    ['max_energy_per_1k_tokens_wh', 'energy_wh_per_1k_tokens'],
  ] as const) {
    const value = FIGURES[metric]!
    // A little more is better for a least value, and worse for a most one.
    const isLeast = rule.startsWith('min')
    it(`passes ${rule} at exactly the limit and on the better side of it, not on the other`, () => {
      const verdictAt = (limit: number): unknown => evaluateValidation(FIGURES, {[rule]: limit})
      const verdict = {rule, metric, value, limit: value, isPassed: true}
      expect(verdictAt(value)).to.deep.equal([verdict])
      expect(verdictAt(value * 1.01)).to.deep.equal([{...verdict, limit: value * 1.01, isPassed: !isLeast}])
      expect(verdictAt(value * 0.99)).to.deep.equal([{...verdict, limit: value * 0.99, isPassed: isLeast}])
    })

    it(`fails ${rule} when the run has no such figure`, () => {
      expect(evaluateValidation({...FIGURES, [metric]: null}, {[rule]: value})).to.deep.equal([
        {rule, metric, value: null, limit: value, isPassed: false},
      ])
    })
  }

  it('fails a rule that nobody knows', () => {
    expect(evaluateValidation(FIGURES, {max_boredom: 1, toString: 2})).to.deep.equal([
      {rule: 'max_boredom', metric: null, value: null, limit: 1, isPassed: false},
      {rule: 'toString', metric: null, value: null, limit: 2, isPassed: false},
    ])
  })

  it('judges nothing without rules, and several in their order', () => {
    expect(evaluateValidation(FIGURES, {})).to.deep.equal([])
    expect(evaluateValidation(FIGURES, {max_error_rate: undefined})).to.deep.equal([])
    const rules = {max_p95_latency_ms: 900, min_success_rate: 0.9}
    expect(evaluateValidation(FIGURES, rules).map(({rule, isPassed}) => [rule, isPassed])).to.deep.equal([
      ['max_p95_latency_ms', false],
      ['min_success_rate', true],
    ])
  })

  it('knows every rule that a profile may have', () => {
    const {validation} = profileSchema.shape
    expect(VALIDATION_RULES).to.have.members(Object.keys(validation.unwrap().shape))
  })
})
