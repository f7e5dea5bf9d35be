import {expect} from 'chai'
import {createLiveRun, progressLine} from '../../../src/lib/bench/index.js'
import {requestRecord} from '../../support/records.js'

const counts = (done: number, tokens: number, failed = 0) => ({
  sent: done + 4,
  done,
  failed,
  inFlight: 4,
  tokens,
})
const answer = (id: number, ttftMs: number) =>
  requestRecord({id, sentAtMs: 0, firstTokenAtMs: ttftMs, gapsUs: Uint32Array.of(8000, 12_000)})

describe('a run while it lasts', () => {
  it('is over when the time of a closed loop is, however many requests are left', () => {
    const live = createLiveRun(60_000, 0, 30_000)
    expect(live.look(0).leftMs, 'nothing is answered').to.equal(null)
    live.progress({sent: 12, done: 10, failed: 0, inFlight: 2, tokens: 0}, 5000)
    expect(live.look(5000).leftMs).to.equal(25_000)
  })

  it('has the rates and latencies of its last five seconds', () => {
    const live = createLiveRun(200, 0)
    live.progress(counts(10, 100), 1000)
    for (let second = 2; second <= 10; second++)
      live.progress(counts(10 * second, 200 * second), second * 1000)
    live.answered([answer(1, 900)], 1000)
    live.answered([answer(2, 40), answer(3, 60)], 9000)
    const look = live.look(10_000)
    expect(look.requestsPerSecond).to.equal(10) // 100 − 50 in 5 s
    expect(look.tokensPerSecond).to.equal(200) // 2000 − 1000 in 5 s
    expect(look.leftMs).to.equal(10_000) // 100 left
    expect(look.ttft).to.deep.equal({p50: 50, p95: 59}) // of 40 and 60
    expect(look.gap!.p50).to.equal(10) // of 8, 12, 8, 12
    expect(look.tokenRates.slice(-3)).to.deep.equal([200, 200, 200])
  })

  it('counts failures by kind and what the server counted since the first look', () => {
    const live = createLiveRun(10, 0)
    live.answered([requestRecord({id: 1, outcome: 'reset'}), requestRecord({id: 2, outcome: 'http_5xx'})], 10)
    live.answered([requestRecord({id: 3, outcome: 'http_5xx'})], 20)
    const engine = {
      running: 1,
      waiting: 0,
      kv_cache_usage: 0.1,
      prompt_tokens_total: 0,
      generation_tokens_total: 0,
    }
    const totals = {preemptions_total: 5, prefix_cache_queries_total: 100, prefix_cache_hits_total: 90}
    live.looked({at_ms: 0, engine: {...engine, ...totals}})
    live.looked({
      at_ms: 500,
      engine: {
        ...engine,
        preemptions_total: 7,
        prefix_cache_queries_total: 300,
        prefix_cache_hits_total: 140,
      },
    })
    const {failures, preemptions, prefixHitRatio} = live.look(1000)
    expect(failures).to.deep.equal([
      ['http_5xx', 2],
      ['reset', 1],
    ])
    expect([preemptions, prefixHitRatio]).to.deep.equal([2, 0.25]) // 50 of 200
  })

  it('is one line where there is no screen', () => {
    const live = createLiveRun(20, 0)
    live.answered([answer(1, 40), requestRecord({id: 2, outcome: 'reset'})], 1000)
    live.progress(counts(9, 90, 1), 1000)
    expect(progressLine(live.look(1000))).to.match(
      /^10\/20 requests · 1\.0 s left · 1 failed · 4 in flight · 10\.0 req\/s · 90 tok\/s · TTFT p50 \d+ ms$/,
    )
  })
})
