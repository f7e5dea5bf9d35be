import {expect} from 'chai'
import {causeOf, type TtftFacts} from '../../../src/lib/analysis/ttft-cause.js'

const facts = (changes: Partial<TtftFacts>): TtftFacts => ({
  ttftMeanMs: 400,
  queueMeanMs: null,
  prefillMeanMs: null,
  waitingMean: null,
  requestsPerSecond: null,
  kvCacheUsageMax: null,
  preemptions: null,
  ...changes,
})

describe('the cause of TTFT', () => {
  it('is queueing when requests waited and their wait is half of it', () => {
    const cause = causeOf(facts({queueMeanMs: 200, waitingMean: 1.5}))
    expect(cause).to.deep.equal({
      code: 'queueing',
      message: "requests waited 200 ms in the server's queue of 400 ms to the first token, 1.5 at a time",
    })
    expect(causeOf(facts({queueMeanMs: 199, waitingMean: 1.5}))).to.equal(null)
    expect(causeOf(facts({queueMeanMs: 300, waitingMean: 0})), 'nobody was seen waiting').to.equal(null)
  })

  it("takes the wait from Little's law where the server keeps no histogram of it", () => {
    // 2 waiting / 8 a second = 250 ms
    expect(causeOf(facts({waitingMean: 2, requestsPerSecond: 8}))?.code).to.equal('queueing')
    expect(causeOf(facts({waitingMean: 2, requestsPerSecond: 20}))).to.equal(null)
  })

  it('is the KV cache when it was full and requests were preempted', () => {
    expect(causeOf(facts({kvCacheUsageMax: 0.97, preemptions: 3}))?.message).to.equal(
      'the KV cache was 97 % full at times and 3 requests were preempted',
    )
    expect(causeOf(facts({kvCacheUsageMax: 0.97, preemptions: 0}))).to.equal(null)
    expect(causeOf(facts({kvCacheUsageMax: 0.8, preemptions: 3}))).to.equal(null)
    const both = facts({queueMeanMs: 300, waitingMean: 4, kvCacheUsageMax: 1, preemptions: 1})
    expect(causeOf(both)?.message).to.match(/queue.*, and the KV cache was 100 % full at times$/)
  })

  it('is prefill when that is half of it, and nothing where no rule confirms one', () => {
    expect(causeOf(facts({prefillMeanMs: 250}))?.code).to.equal('prefill')
    expect(causeOf(facts({prefillMeanMs: 100}))).to.equal(null)
    expect(causeOf(facts({ttftMeanMs: null, prefillMeanMs: 100}))).to.equal(null)
  })
})
