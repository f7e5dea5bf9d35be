import {expect} from 'chai'
import {dealOut, missingList, planBench, wholeList} from '../../../src/lib/bench/index.js'
import {benchOptions} from '../../support/load-job.js'

describe('the list of requests to send', () => {
  it('is the whole plan, warm-up first, for a new run', () => {
    const plan = planBench(benchOptions({requests: 3, warmupRequests: 2, ratePerSecond: 10}))
    const list = wholeList(plan)
    expect([...list.ids]).to.deep.equal([1, 2, 3, 4, 5])
    expect(list.warmups).to.equal(2)
    expect(list.timesMs).to.equal(plan.timesMs)
  })

  it('leaves out what is done and keeps the gap before each request that is not', () => {
    // A request every 100 ms; 1 and 2 are warm-up, 3 … 10 measured.
    const plan = planBench(benchOptions({requests: 8, warmupRequests: 2, ratePerSecond: 10}))
    const list = missingList(plan, new Set([1, 3, 4, 6, 7]), 0)
    expect([...list.ids]).to.deep.equal([2, 5, 8, 9, 10])
    expect(list.warmups).to.equal(1)
    expect([...list.timesMs!].map(Math.round)).to.deep.equal([0, 100, 200, 300])
  })

  it('keeps the gaps of a schedule that is drawn', () => {
    const plan = planBench(benchOptions({requests: 50, ratePerSecond: 10, pattern: 'poisson'}))
    const done = new Set([1, 2, 3, 10, 11, 40])
    const {ids, timesMs} = missingList(plan, done, 0)
    for (let index = 1; index < ids.length; index++) {
      const place = ids[index]! - 1
      expect(timesMs![index]! - timesMs![index - 1]!).to.be.closeTo(
        plan.timesMs![place]! - plan.timesMs![place - 1]!,
        1e-9,
      )
    }
  })

  it('gives a closed loop what is left of its time', () => {
    const plan = planBench(benchOptions({requests: 8, durationSeconds: 10}))
    expect(missingList(plan, new Set([1]), 4000)).to.deep.include({durationMs: 10_000 - 4000, timesMs: null})
    expect(missingList(plan, new Set([1]), 12_000).durationMs).to.equal(0)
  })

  it('is dealt out request by request, each with its time, warm-up first for all', () => {
    const list = wholeList(planBench(benchOptions({requests: 8, warmupRequests: 3, ratePerSecond: 10})))
    const shares = dealOut(list, 3)
    expect(shares.map(({ids}) => [...ids])).to.deep.equal([
      [1, 4, 7, 10],
      [2, 5, 8, 11],
      [3, 6, 9],
    ])
    expect(shares.map(({warmups}) => warmups)).to.deep.equal([1, 1, 1])
    expect(shares.map(({timesMs}) => [...timesMs!].map(Math.round))).to.deep.equal([
      [0, 300, 600],
      [100, 400, 700],
      [200, 500],
    ])
  })

  it('gives no process more than its share of a warm-up that is shorter than they are many', () => {
    const list = wholeList(planBench(benchOptions({requests: 4, warmupRequests: 1})))
    expect(dealOut(list, 2).map(({ids, warmups}) => ({ids: [...ids], warmups}))).to.deep.equal([
      {ids: [1, 3, 5], warmups: 1},
      {ids: [2, 4], warmups: 0},
    ])
  })
})
