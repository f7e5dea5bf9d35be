import {expect} from 'chai'
import fc from 'fast-check'
import {
  bodyLatencyMs,
  clientLimits,
  closedLoopWindow,
  concurrency,
  e2eMs,
  e2eSchedMs,
  equalBins,
  littleCheck,
  niceBins,
  normLatencyMs,
  openLoopWindow,
  queueClientMs,
  sendLagMs,
  tokensOfGap,
  tpotMs,
  ttfbMs,
  ttftMs,
  ttftSchedMs,
  wholeRunWindow,
  type InstrumentFigures,
} from '../../../src/lib/metrics/index.js'
import {requestRecord} from '../../support/records.js'

// Scheduled 8, sent 10, first byte 60, tokens at 110, 130 and 160, done 165; three tokens.
const REQUEST = requestRecord()
const UNSTREAMED = requestRecord({
  firstTokenAtMs: null,
  lastTokenAtMs: null,
  chunkCount: 0,
  gapsUs: new Uint32Array(0),
})

describe('latencies of one request', () => {
  for (const [name, metric, expected] of [
    ['TTFT', ttftMs, 110 - 10],
    ['TTFT from the schedule', ttftSchedMs, 110 - 8],
    ['time to first byte', ttfbMs, 60 - 10],
    ['end to end', e2eMs, 160 - 10],
    ['end to end from the schedule', e2eSchedMs, 160 - 8],
    ['to the end of the body', bodyLatencyMs, 165 - 10],
    ['TPOT', tpotMs, (160 - 110) / (3 - 1)],
    ['per output token', normLatencyMs, (160 - 10) / 3],
    ['lateness of the client', queueClientMs, 10 - 8],
  ] as const) {
    it(`${name}: ${expected} ms`, () => {
      expect(metric(REQUEST)).to.equal(expected)
    })
  }

  it('end at the end of the body when nothing was streamed, and have no TTFT', () => {
    expect(e2eMs(UNSTREAMED)).to.equal(165 - 10)
    expect(ttftMs(UNSTREAMED)).to.equal(null)
    expect(tpotMs(UNSTREAMED)).to.equal(null)
  })

  it('leave TPOT unknown for one token and for tokens that came in one chunk', () => {
    expect(tpotMs(requestRecord({completionTokens: 1}))).to.equal(null)
    expect(tpotMs(requestRecord({completionTokens: null}))).to.equal(null)
    expect(tpotMs(requestRecord({chunkCount: 1, lastTokenAtMs: 110}))).to.equal(null)
    expect(tpotMs({...REQUEST, chunkCount: null, lastTokenAtMs: 110})).to.equal(null)
    expect(tpotMs({...REQUEST, chunkCount: null})).to.equal(25)
  })

  it('leave the latency per token unknown without tokens', () => {
    expect(normLatencyMs(requestRecord({completionTokens: 0}))).to.equal(null)
  })

  it('do not blame the client for connecting', () => {
    const connecting = requestRecord({connectMs: 1.5})
    expect(queueClientMs(connecting)).to.equal(10 - 8 - 1.5)
    expect(sendLagMs(connecting)).to.equal(10 - 8)
  })

  it('are unknown for a request that was never sent', () => {
    const unsent = requestRecord({sentAtMs: null, firstTokenAtMs: null, lastTokenAtMs: null, doneAtMs: null})
    for (const metric of [ttftMs, ttftSchedMs, ttfbMs, e2eMs, e2eSchedMs, queueClientMs, sendLagMs]) {
      expect(metric(unsent)).to.equal(null)
    }
  })
})

describe('tokens of a gap', () => {
  it('are one when there are as many tokens as chunks', () => {
    expect([0, 1, 2].map(index => tokensOfGap(index, 3, 3))).to.deep.equal([1, 1, 1])
  })

  it('add up to all tokens after the first', () => {
    fc.assert(
      fc.property(fc.integer({min: 1, max: 300}), fc.integer({min: 0, max: 900}), (gaps, tokens) => {
        const shares = Array.from({length: gaps}, (_, index) => tokensOfGap(index, gaps, tokens))
        expect(shares.reduce((sum, share) => sum + share, 0)).to.equal(tokens)
        expect(Math.max(...shares) - Math.min(...shares)).to.be.at.most(1)
      }),
    )
  })
})

describe('concurrency', () => {
  const of = (spans: readonly (readonly [number, number])[], from: number, to: number) =>
    concurrency(
      Float64Array.from(spans, span => span[0]).sort(),
      Float64Array.from(spans, span => span[1]).sort(),
      [{fromMs: from, toMs: to}],
    )

  it('is weighted by time', () => {
    // 0–10: one, 10–20: two, 20–30: one, 30–40: none. Mean (10 + 20 + 10) / 40.
    expect(of([[0, 20], [10, 30]], 0, 40)).to.deep.equal({mean: 1, p50: 1, p95: 2, max: 2}) // prettier-ignore
  })

  it('ends before it starts on a tie', () => {
    expect(of([[0, 10], [10, 20]], 0, 20).max).to.equal(1) // prettier-ignore
  })

  it('counts only the window', () => {
    expect(of([[0, 100], [50, 60]], 50, 60)).to.deep.equal({mean: 2, p50: 2, p95: 2, max: 2}) // prettier-ignore
  })

  it('is unknown for an empty window', () => {
    expect(of([[0, 1]], 5, 5).mean).to.equal(null)
  })

  it('agrees with looking at every millisecond', () => {
    const span = fc.tuple(fc.integer({min: 0, max: 60}), fc.integer({min: 0, max: 40}))
    fc.assert(
      fc.property(fc.array(span, {maxLength: 30}), pairs => {
        const spans = pairs.map(([start, length]) => [start, start + length] as const)
        const levels = Array.from(
          {length: 80},
          (_, at) => spans.filter(([start, end]) => start <= at && at < end).length,
        )
        const {mean, max} = of(spans, 0, 80)
        expect(mean).to.be.closeTo(levels.reduce((sum, level) => sum + level, 0) / 80, 1e-9)
        expect(max).to.equal(Math.max(...levels))
      }),
    )
  })

  it('obeys Little: 10 requests/s of 200 ms are 2 in flight', () => {
    expect(littleCheck(10, 200, 2)).to.equal(1)
    expect(littleCheck(10, 200, 0)).to.equal(null)
    expect(littleCheck(null, 200, 2)).to.equal(null)
  })
})

describe('histograms', () => {
  it('have twenty equal bins, the last one closed', () => {
    const {bins, counts, binEdges} = equalBins(Float64Array.of(0, 1, 5, 19.5, 20))
    expect(binEdges).to.have.length(21)
    expect(bins[0]).to.equal(0.5)
    expect(counts).to.deep.equal([1, 1, 0, 0, 0, 1, ...Array<number>(13).fill(0), 2])
  })

  it('have one bin for equal values and none without values', () => {
    expect(equalBins(Float64Array.of(3, 3))).to.deep.include({bins: [3], counts: [2], totalSamples: 2})
    expect(equalBins(new Float64Array(0))).to.deep.equal({
      bins: [],
      counts: [],
      binEdges: [],
      min: null,
      max: null,
      totalSamples: 0,
    })
  })

  for (const [max, bins] of [
    [499, [0, 100, 200, 300, 400]],
    [500, [0, 100, 200, 300, 400, 500]],
    [201, [0, 50, 100, 150, 200]],
    [0.9, [0, 0.2, 0.4, 0.6, 0.8]],
    [0, [0, 0.001, 0.002, 0.003, 0.004]],
    [1_000_000, [0, 200_000, 400_000, 600_000, 800_000, 1_000_000]],
  ] as const) {
    it(`have nice lower edges up to ${max}`, () => {
      expect(niceBins(Float64Array.of(0, max)).bins).to.deep.equal(bins)
    })
  }

  it('with nice edges hold every value in 5 to 20 bins', () => {
    fc.assert(
      fc.property(fc.array(fc.double({min: 0, max: 1e7, noNaN: true}), {minLength: 1}), values => {
        const {bins, counts} = niceBins(Float64Array.from(values).sort())
        expect(counts.reduce((sum, count) => sum + count, 0)).to.equal(values.length)
        expect(bins.length).to.be.within(5, 20)
        expect(bins).to.have.length(counts.length)
      }),
    )
  })
})

describe('measure window', () => {
  const sent = {sentAtMs: [0, 0, 10, 12, 20, 22], doneAtMs: [10, 12, 20, 22, 31, 35]}

  it('of a closed loop begins when every slot was busy once and ends when the first finds no work', () => {
    expect(closedLoopWindow(sent, 2)).to.deep.equal({fromMs: 12, toMs: 22, rule: 'every-slot-busy'})
  })

  it('is the whole run when no slot has a second request', () => {
    expect(closedLoopWindow(sent, 6)).to.deep.equal({fromMs: 0, toMs: 35, rule: 'whole-run'})
  })

  it('of an open loop leaves out the drain', () => {
    expect(openLoopWindow(5, 95)).to.deep.equal({fromMs: 5, toMs: 95, rule: 'scheduled-arrivals'})
    expect(openLoopWindow(5, 5)).to.equal(null)
  })

  it('of the whole run ignores requests that never ended, and is unknown without any', () => {
    expect(wholeRunWindow({sentAtMs: [1, 2], doneAtMs: [NaN, 9]})).to.deep.include({fromMs: 1, toMs: 9})
    expect(wholeRunWindow({sentAtMs: [], doneAtMs: []})).to.equal(null)
    expect(wholeRunWindow({sentAtMs: [1], doneAtMs: [NaN]})).to.equal(null)
  })
})

describe('client limits', () => {
  const good: InstrumentFigures = {
    latenessP99Ms: 0.5,
    ttftErrorP99Ms: 2,
    gapErrorP99Ms: 1,
    ttftP50Ms: 100,
    iclP50Ms: 20,
  }

  it('are none for a good instrument and for one that nobody measured', () => {
    expect(clientLimits(good)).to.deep.equal([])
    expect(
      clientLimits({
        latenessP99Ms: null,
        ttftErrorP99Ms: null,
        gapErrorP99Ms: null,
        ttftP50Ms: null,
        iclP50Ms: null,
      }),
    ).to.deep.equal([])
  })

  for (const [what, change, pattern] of [
    [
      'lateness above 1 % of the median TTFT',
      {latenessP99Ms: 1.1},
      /^sending late is 1\.10 ms at p99, more than 1\.00 ms$/,
    ],
    ['lateness above 5 ms whatever the TTFT', {latenessP99Ms: 5.1, ttftP50Ms: 9000}, /more than 5\.00 ms$/],
    ['a TTFT error above 5 % of the median TTFT', {ttftErrorP99Ms: 5.1}, /error of a TTFT is 5\.10 ms/],
    ['a gap error above 10 % of the median gap', {gapErrorP99Ms: 2.1}, /error of a gap is 2\.10 ms/],
  ] as const) {
    it(`name ${what}`, () => {
      const reasons = clientLimits({...good, ...change})
      expect(reasons).to.have.length(1)
      expect(reasons[0]).to.match(pattern)
    })
  }
})
