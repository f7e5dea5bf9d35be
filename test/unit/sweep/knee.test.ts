import {expect} from 'chai'
import fc from 'fast-check'
import {nextKneeStep, type KneeObservation, type KneeSearch} from '../../../src/lib/sweep/index.js'

const SEARCH: KneeSearch = {from: 1, most: 10_000, precision: 0.05, isWhole: false}

/** Runs a search to its end against a judge. */
function searched(
  judge: (value: number, length: number) => KneeObservation['verdict'],
  search: KneeSearch = SEARCH,
): {seen: KneeObservation[]; best: number | null; failing: number | null} {
  const seen: KneeObservation[] = []
  for (;;) {
    const step = nextKneeStep(seen, search)
    if (step.kind === 'done') return {seen, best: step.best, failing: step.failing}
    seen.push({value: step.value, length: step.length, verdict: judge(step.value, step.length)})
    expect(seen.length).to.be.below(100)
  }
}

/**
 * A server of `slots` places that answers in `serviceMs`: its capacity is slots / service. Requests come at even gaps and wait in
 * line. @returns p95 of the time from arrival to answer
 */
function p95OfQueue(ratePerSecond: number, seconds: number, slots: number, serviceMs: number): number {
  const free = new Array<number>(slots).fill(0)
  const count = Math.max(1, Math.round(ratePerSecond * seconds))
  const latencies = Array.from({length: count}, (_, index) => {
    const at = (index * 1000) / ratePerSecond
    const slot = free.indexOf(Math.min(...free))
    free[slot] = Math.max(at, free[slot]!) + serviceMs
    return free[slot] - at
  })
  latencies.sort((one, other) => one - other)
  return latencies[Math.ceil(0.95 * count) - 1]!
}

describe('the search for the knee', () => {
  it('doubles until a value fails, then bisects on the logarithm', () => {
    const {seen, best, failing} = searched(value => (value <= 10 ? 'PASS' : 'FAIL'))
    expect(seen.slice(0, 5).map(({value}) => value)).to.deep.equal([1, 2, 4, 8, 16])
    expect(seen[5]!.value).to.be.closeTo(Math.sqrt(8 * 16), 1e-9)
    expect(best).to.be.at.most(10)
    expect(failing).to.be.above(10)
    expect(failing! / best!).to.be.at.most(1.05)
  })

  it('ends within its precision of any threshold, and says where it lies', () => {
    fc.assert(
      fc.property(fc.double({min: 0.01, max: 9000, noNaN: true}), threshold => {
        const {best, failing} = searched(value => (value <= threshold ? 'PASS' : 'FAIL'))
        expect(best).to.be.at.most(threshold)
        expect(failing).to.be.above(threshold)
        expect(failing! / best!).to.be.at.most(1.05 + 1e-9)
      }),
    )
  })

  it('lands within 5 % of the capacity of a server that is known: 8 places, 500 ms, 16 requests a second', () => {
    // 60 s at 5 % above capacity make the queue 0.05 · 60 s · 0.95 ≈ 2.9 s long, far above the goal.
    const judge = (rate: number): KneeObservation['verdict'] =>
      p95OfQueue(rate, 60, 8, 500) <= 750 ? 'PASS' : 'FAIL'
    const {best} = searched(judge, {...SEARCH, precision: 0.02})
    expect(best).to.be.within(16 * 0.95, 16 * 1.05)
  })

  it('runs what is undecided up to 8 times as long, then takes it for failed', () => {
    const {seen, best} = searched((value, length) =>
      value <= 4 ? 'PASS' : length < 4 && value < 6 ? 'UNSURE' : value < 6 ? 'PASS' : 'UNSURE',
    )
    expect(seen.filter(({value}) => value === 8).map(({length}) => length)).to.deep.equal([1, 2, 4, 8])
    expect(best).to.be.within(5, 6)
  })

  it('halves while even the first value fails, and gives up', () => {
    expect(searched(value => (value <= 0.3 ? 'PASS' : 'FAIL')).best).to.be.within(0.28, 0.3)
    const {seen, best, failing} = searched(() => 'FAIL')
    expect({best, failing: failing! < 1, count: seen.length}).to.deep.equal({
      best: null,
      failing: true,
      count: 11,
    })
  })

  it('tries whole values alone where only they make sense, and none above the highest', () => {
    const whole = {...SEARCH, isWhole: true}
    expect(searched(value => (value <= 21 ? 'PASS' : 'FAIL'), whole)).to.deep.include({best: 21, failing: 22})
    expect(searched(() => 'FAIL', whole)).to.deep.include({best: null, failing: 1})
    expect(searched(() => 'PASS', {...whole, most: 12})).to.deep.include({best: 12, failing: null})
  })

  it('takes a value for lucky that passed above one that failed', () => {
    const seen: KneeObservation[] = [
      {value: 4, length: 1, verdict: 'FAIL'},
      {value: 8, length: 1, verdict: 'PASS'},
      {value: 2, length: 1, verdict: 'PASS'},
    ]
    expect(nextKneeStep(seen, {...SEARCH, precision: 1.5})).to.deep.equal({kind: 'done', best: 2, failing: 4})
  })
})
