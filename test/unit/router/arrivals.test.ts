import {expect} from 'chai'
import {Arrivals} from '../../../src/lib/router/core/arrivals.js'
import {Traffic} from '../../../src/lib/router/core/traffic.js'

describe('arrivals of requests', () => {
  it('counts what began at or after a moment', () => {
    const arrivals = new Arrivals()
    for (const atMs of [1000, 1000, 1500, 3000]) arrivals.add(atMs)
    expect([0, 1000, 1001, 1500, 1501, 3000, 3001].map(from => arrivals.countSince(from))).to.deep.equal([
      ...[4, 4, 2, 2, 1, 1, 0],
    ])
    expect(arrivals.total).to.equal(4)
  })

  it('counts each of 100,000 in a minute: no ring saturates', () => {
    const arrivals = new Arrivals()
    for (let index = 0; index < 100_000; index++) arrivals.add(index * 0.6)
    // 100,000 in 60 s; those of the last 6 s are a tenth.
    expect(arrivals.countSince(0)).to.equal(100_000)
    expect(arrivals.countSince(54_000)).to.equal(10_000)
  })

  it('forgets nothing while it tidies: seconds stay exact for a day', () => {
    const arrivals = new Arrivals()
    // 10 a second for an hour, at x.0, x.1, …
    for (let index = 0; index < 36_000; index++) arrivals.add(index * 100)
    expect(arrivals.total).to.equal(36_000)
    expect(arrivals.countSince(0)).to.equal(36_000)
    for (const second of [1, 600, 1800, 3500]) {
      expect(arrivals.countSince(second * 1000), String(second)).to.equal(36_000 - second * 10)
    }
  })

  it('drops what is older than a day, and still knows the total', () => {
    const arrivals = new Arrivals()
    const dayMs = 86_400_000
    for (let index = 0; index < 5000; index++) arrivals.add(index * 1000)
    for (let index = 0; index < 5000; index++) arrivals.add(2 * dayMs + index * 1000)
    expect(arrivals.total).to.equal(10_000)
    expect(arrivals.countSince(2 * dayMs)).to.equal(5000)
  })
})

describe('traffic of a model', () => {
  it('is a rate per second over any window, and means over what succeeded', () => {
    const traffic = new Traffic()
    for (let second = 0; second < 30; second++) traffic.begin(second * 1000)
    traffic.end('succeeded', 100)
    traffic.end('succeeded', 300)
    traffic.end('failed', 9000)
    traffic.end('cancelled', 9000)
    expect([traffic.began, traffic.succeeded, traffic.failed]).to.deep.equal([30, 2, 2])
    expect(traffic.meanResponseMs).to.equal(200)
    // At 29.5 s the last 10 s saw those of 20 … 29 s.
    expect(traffic.rate(10_000, 29_500)).to.equal(1)
    expect(traffic.rate(60_000, 29_500)).to.equal(0.5)
  })
})
