import {expect} from 'chai'
import type {GapsReader, ReportRequest} from '../../../src/lib/report/index.js'
import {binWidthMs, buildTimeline} from '../../../src/lib/report/timeline.js'

const request = (change: Partial<ReportRequest>): ReportRequest => ({
  sentMs: 0,
  ttftMs: 100,
  e2eMs: 500,
  latencyMs: 500,
  outputTokens: 5,
  isSuccess: true,
  ...change,
})

/** Gaps in milliseconds by request; a request without an entry has none. */
const gaps =
  (...ofRequest: readonly (readonly number[])[]): GapsReader =>
  async visit => {
    ofRequest.forEach((gapsMs, index) => {
      if (gapsMs.length > 0)
        visit(
          index,
          gapsMs.map(gap => gap * 1000),
        )
    })
  }

describe('buildTimeline', () => {
  it('takes the narrowest usual interval that is not too many', () => {
    expect([1000, 12_500, 60_000, 960_000].map(span => binWidthMs(span, 60))).to.deep.equal([
      100, 250, 1000, 30_000,
    ])
  })

  it('counts a token where its chunk arrived: one at the first, the rest evenly over the gaps', async () => {
    // First token at 100 ms, four gaps of 100 ms: chunks at 100, 200, 300, 400, 500 ms.
    const {bins, binMs} = await buildTimeline([request({})], gaps([100, 100, 100, 100]), 2)
    expect(binMs).to.equal(250)
    expect(bins.map(bin => bin.tokensPerSecond)).to.deep.equal([2 / 0.25, 3 / 0.25])
  })

  it('loses no token: rates times intervals add up to the sum of all answers', async () => {
    const requests = Array.from({length: 40}, (_, at) =>
      request({sentMs: 37 * at, outputTokens: 3 + at, latencyMs: 450, e2eMs: 440}),
    )
    const {bins} = await buildTimeline(
      requests,
      gaps(...requests.map((_, at) => (at % 3 === 0 ? [] : [90, 250]))),
      12,
    )
    const tokens = bins.reduce((sum, bin) => sum + (bin.tokensPerSecond * (bin.toMs - bin.fromMs)) / 1000, 0)
    expect(tokens).to.be.closeTo(40 * 3 + (39 * 40) / 2, 1e-6)
  })

  it('keeps successes and failures apart, by the time of their end', async () => {
    const requests = [
      request({latencyMs: 900}),
      request({sentMs: 100, latencyMs: 100, isSuccess: false, ttftMs: null, e2eMs: null, outputTokens: null}),
    ]
    const {bins} = await buildTimeline(requests, gaps(), 2)
    expect(bins.map(bin => bin.failedPerSecond)).to.deep.equal([1 / 0.5, 0])
    expect(bins.map(bin => bin.completedPerSecond)).to.deep.equal([0, 1 / 0.4])
  })

  it('weighs requests in flight by time', async () => {
    // 0–400 ms one, 400–600 two, 600–1000 one again.
    const requests = [request({latencyMs: 600}), request({sentMs: 400, latencyMs: 600})]
    const {bins} = await buildTimeline(requests, gaps(), 2)
    expect(bins.map(bin => bin.inFlightMean)).to.deep.equal([(400 + 2 * 100) / 500, (2 * 100 + 400) / 500])
    expect(bins.map(bin => bin.inFlightMax)).to.deep.equal([2, 2])
  })

  it('counts an end before a start at the same instant', async () => {
    const requests = [request({latencyMs: 500}), request({sentMs: 500, latencyMs: 500})]
    const {bins} = await buildTimeline(requests, gaps(), 2)
    expect(bins.map(bin => bin.inFlightMax)).to.deep.equal([1, 1])
  })

  it('joins a rest shorter than half an interval to the last one, so that its rate means something', async () => {
    const requests = [request({latencyMs: 500}), request({sentMs: 500, latencyMs: 510})]
    const {bins} = await buildTimeline(requests, gaps(), 11)
    const last = bins.at(-1)!
    expect([last.fromMs, last.toMs]).to.deep.equal([900, 1010])
    expect(last.completedPerSecond).to.equal(1 / 0.11)
  })

  it('leaves an interval without samples unknown, not 0', async () => {
    const requests = [
      request({latencyMs: 100, e2eMs: 100}),
      request({sentMs: 900, latencyMs: 100, e2eMs: 100}),
    ]
    const {bins} = await buildTimeline(requests, gaps(), 10)
    expect(bins[5]).to.include({ttftP50Ms: null, itlP50Ms: null, completedPerSecond: 0})
    expect(bins[0]!.ttftP50Ms).to.equal(100)
  })
})
