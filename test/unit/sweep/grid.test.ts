import {expect} from 'chai'
import {
  gridPoints,
  parseAxis,
  repeated,
  summarisePoints,
  sweepCsv,
  type SweepFile,
  type SweepPoint,
} from '../../../src/lib/sweep/index.js'
import {rejection} from '../../support/rejection.js'

function point(index: number, values: Record<string, string>, p95: number | null): SweepPoint {
  return {
    ...{
      index,
      values,
      repetition: index,
      run_dir: `00${index}`,
      error: null,
      verdict: null,
      length: null,
      missed: [],
    },
    ...(p95 === null
      ? {status: 'failed' as const, metrics: null}
      : {status: 'completed' as const, metrics: {p95_ms: p95, throughput_rps: 2, gpu_util_avg: null}}),
  }
}

describe('a sweep', () => {
  it('is every combination of its axes, so often, in an order that a seed fixes', () => {
    const axes = [parseAxis('concurrency=5,10'), parseAxis('pattern=steady,poisson')]
    const given = gridPoints(axes, 2, null)
    expect(given).to.have.length(2 * 2 * 2)
    expect(given[1]).to.deep.equal({values: {concurrency: '5', pattern: 'poisson'}, repetition: 1})
    expect(given[4]).to.deep.equal({values: {concurrency: '5', pattern: 'steady'}, repetition: 2})
    const mixed = gridPoints(axes, 2, 42)
    expect(mixed)
      .to.deep.equal(gridPoints(axes, 2, 42))
      .and.not.deep.equal(given)
    expect(mixed).to.have.deep.members(given)
  })

  for (const text of ['concurrency', 'concurrency=', 'concurrency=5,,6', 'concurrency=5,5', '=5', 'X=5']) {
    it(`has no axis '${text}'`, async () => {
      expect(await rejection((async () => parseAxis(text))())).to.include({code: 'AXIS_INVALID'})
    })
  }

  it('has no axis twice, and no more than 10,000 runs', async () => {
    const axis = parseAxis('rate=1,2')
    expect(await rejection((async () => gridPoints([axis, axis], 1, null))())).to.include({
      code: 'AXIS_INVALID',
    })
    expect(await rejection((async () => gridPoints([axis], 5001, null))())).to.include({code: 'AXIS_INVALID'})
  })

  it('gives repeated runs a mean with its t-interval', () => {
    // s = √(((−1)² + 0 + 1²) / 2) = 1; se = 1 / √3; t(0.975, 2) = 4.303
    const figure = repeated([9, 10, 11])
    expect(figure).to.include({count: 3, mean: 10, std: 1, min: 9, max: 11, cv: 0.1})
    expect(figure.se).to.be.closeTo(0.57735, 1e-5)
    expect(figure.t_critical).to.be.closeTo(4.30265, 1e-4)
    expect(figure.ci_low).to.be.closeTo(10 - 2.48414, 1e-4)
    expect(figure.ci_high).to.be.closeTo(10 + 2.48414, 1e-4)
    expect(repeated([7])).to.include({count: 1, mean: 7, std: null, ci_low: null})
    expect(repeated([])).to.include({count: 0, mean: null, min: null})
  })

  it('sums up the runs of one combination, and writes a line a run with the columns of kserve-vllm-mini', () => {
    const values = {'max-tokens': '64'}
    const points = [point(1, values, 10), point(2, values, 20), point(3, {'max-tokens': '128'}, null)]
    const [first, second] = summarisePoints(points)
    expect(first).to.deep.include({values, runs: 2, failed: 0})
    expect(first!.metrics['p95_ms']).to.include({mean: 15, count: 2})
    expect(second).to.deep.include({runs: 0, failed: 1})
    const axes = [{name: 'max-tokens', values: ['64', '128']}]
    const [header, line] = sweepCsv({axes, points} as unknown as SweepFile).split('\n')
    expect(header).to.equal(
      'max_tokens,p50_ms,p95_ms,p99_ms,throughput_rps,tokens_per_sec,error_rate,ttft_p50_ms,ttft_p95_ms,cost_per_request,cost_per_1k_tokens,gpu_util_avg,run_dir,repetition,status,verdict',
    )
    expect(line).to.equal('64,,10,,2,,,,,,,,001,1,completed,')
  })
})
