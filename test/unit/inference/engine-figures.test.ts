import {expect} from 'chai'
import {engineFiguresOf} from '../../../src/lib/inference/index.js'
import {parsePrometheusText} from '../../../src/lib/inference/prometheus-text.js'

describe('a metrics page', () => {
  it('is read with labels, escapes, special values and time stamps', () => {
    const page = [
      '# HELP a helps',
      'a 1',
      'a{x="1",y="q\\"u\\\\o\\nte"} 2.5e3 1700000000',
      'b +Inf',
      'c{le="+Inf"} 3 # {trace="z"} 1',
      'not a sample',
    ].join('\n')
    expect(parsePrometheusText(page)).to.deep.equal([
      {name: 'a', labels: {}, value: 1},
      {name: 'a', labels: {x: '1', y: 'q"u\\o\nte'}, value: 2500},
      {name: 'b', labels: {}, value: Infinity},
      {name: 'c', labels: {le: '+Inf'}, value: 3},
    ])
  })

  it('adds the engines behind one page up, and averages their shares', () => {
    const page = [
      'vllm:num_requests_running{engine="0"} 3',
      'vllm:num_requests_running{engine="1"} 4',
      'vllm:kv_cache_usage_perc{engine="0"} 0.2',
      'vllm:kv_cache_usage_perc{engine="1"} 0.6',
    ].join('\n')
    const figures = engineFiguresOf(page)!
    expect(figures.running).to.equal(3 + 4)
    expect(figures.kvCacheUsage).to.be.closeTo((0.2 + 0.6) / 2, 1e-12)
    expect(figures.preemptions).to.equal(null)
  })

  it('of something else says nothing', () => {
    expect(engineFiguresOf('process_cpu_seconds_total 5')).to.equal(null)
  })
})
