import {expect} from 'chai'
import {addHistograms, engineExtrasOf, engineHistogramsOf} from '../../../src/lib/inference/index.js'

const page = (engine: number, counts: readonly number[], sum: number): string =>
  [
    ...['0.1', '0.5', '+Inf'].map(
      (le, at) => `vllm:time_to_first_token_seconds_bucket{engine="${engine}",le="${le}"} ${counts[at]!}`,
    ),
    `vllm:time_to_first_token_seconds_sum{engine="${engine}"} ${sum}`,
    `vllm:time_to_first_token_seconds_count{engine="${engine}"} ${counts.at(-1)!}`,
  ].join('\n')

describe("an engine's histograms", () => {
  it('are read with the engines behind one page added up', () => {
    const text = `${page(0, [1, 2, 3], 1.5)}\n${page(1, [1, 1, 1], 0.05)}\nother_bucket{le="1"} 9`
    expect(engineHistogramsOf(text)).to.deep.equal({
      ttft: {bounds: [0.1, 0.5, Infinity], counts: [2, 3, 4], sum: 1.55},
    })
    expect(engineHistogramsOf('vllm:num_requests_running 1')).to.equal(null)
  })

  it('of several servers add up where their bounds are the same, and are left out where not', () => {
    const one = {bounds: [1, Infinity], counts: [1, 2], sum: 3}
    expect(addHistograms([{ttft: one, queue: one}, {ttft: one}])).to.deep.equal({
      ttft: {bounds: [1, Infinity], counts: [2, 4], sum: 6},
    })
    expect(addHistograms([{ttft: one}, {ttft: {...one, bounds: [2, Infinity]}}])).to.deep.equal({})
  })

  it('stand beside counters that few engines have', () => {
    const text = 'vllm:spec_decode_num_drafts_total 10\nvllm:spec_decode_num_accepted_tokens_total 15'
    const {drafts, acceptedTokens, draftTokens, externalCacheHits} = engineExtrasOf(text)
    expect([drafts, acceptedTokens, draftTokens, externalCacheHits]).to.deep.equal([10, 15, null, null])
  })
})
