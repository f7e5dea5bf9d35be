import {expect} from 'chai'
import {planBench} from '../../../src/lib/bench/bench-plan.js'
import {benchOptions} from '../../support/load-job.js'

describe('planBench', () => {
  it('keeps slots busy when a steady load has no rate', () => {
    const plan = planBench(benchOptions({requests: 500, concurrency: 20, durationSeconds: 300}))
    expect(plan).to.include({
      mode: 'closed',
      concurrency: 20,
      requests: 500,
      durationMs: 300_000,
      timesMs: null,
    })
  })

  it('has no more slots than requests', () => {
    expect(planBench(benchOptions({requests: 3, concurrency: 20})).concurrency).to.equal(3)
  })

  it('sends on schedule when there is a rate: n / r seconds', () => {
    const plan = planBench(benchOptions({requests: 50, ratePerSecond: 20}))
    expect(plan).to.include({mode: 'open', durationMs: (50 / 20) * 1000})
    expect(plan.timesMs![49]).to.equal((49 / 20) * 1000)
  })

  it('counts the requests from rate and duration when they are not given', () => {
    const plan = planBench(benchOptions({requests: null, ratePerSecond: 5, durationSeconds: 60}))
    expect(plan.requests).to.equal(5 * 60)
  })

  it('spreads other patterns over n / concurrency seconds', () => {
    const plan = planBench(benchOptions({pattern: 'bursty', requests: 100, concurrency: 20}))
    expect(plan).to.include({mode: 'open', durationMs: (100 / 20) * 1000, ratePerSecond: 20})
  })

  it('spreads them over the duration when that is given', () => {
    const plan = planBench(
      benchOptions({pattern: 'poisson', requests: 100, concurrency: 20, durationSeconds: 10}),
    )
    expect(plan).to.include({durationMs: 10_000, ratePerSecond: 100 / 10})
  })

  it('gives the same seed the same schedule, and says so in one hash', () => {
    const hash = (arrivalSeed: number): string | null =>
      planBench(benchOptions({pattern: 'poisson', arrivalSeed})).scheduleSha256
    expect(hash(1)).to.equal(hash(1)).and.not.to.equal(hash(2))
  })

  it('refuses what cannot be planned', () => {
    expect(() => planBench(benchOptions({pattern: 'constant'}))).to.throw('a constant rate needs --rate')
    expect(() => planBench(benchOptions({requests: null}))).to.throw('how many requests')
    expect(() => planBench(benchOptions({concurrency: 0}))).to.throw('concurrency must be greater than 0')
    expect(() => planBench(benchOptions({ratePerSecond: -1}))).to.throw('rate must be greater than 0')
  })
})
