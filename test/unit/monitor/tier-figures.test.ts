import {expect} from 'chai'
import {metricValues} from '../../../src/lib/inference/index.js'
import {TIER_SERIES, tierFigures} from '../../../src/lib/monitor/tier-figures.js'

const valuesOf = (...lines: string[]): ReadonlyMap<string, number> =>
  metricValues(lines.join('\n'), TIER_SERIES)

describe('the tiers of a cache worker', () => {
  const page = ['lmcache:num_requested_tokens_total{a="1"} 300', 'lmcache:num_hit_tokens_total{a="1"} 75']

  it('have what its document tells, and the hit rate of its page', () => {
    const backends = {
      LocalCPUBackend: {
        ...{chunks: 3, bytes: 100, capacity_bytes: 200, pinned_chunks: 1, evicted_chunks: 9},
        ...{pending_writes: 2, read_bytes: 5, write_bytes: 6, degraded: null},
        ...{failed_reads: 1, failed_writes: 2, dropped_writes: 4},
      },
      RemoteBackend: {degraded: 'ECONNREFUSED', chunks: null},
    }
    const [cpu, remote] = tierFigures('http://w', 5, {backends}, valuesOf(...page))
    expect(cpu).to.deep.equal({
      ...{name: 'LocalCPUBackend', worker: 'http://w', readAtMs: 5, degraded: null, bytes: 100},
      ...{capacityBytes: 200, chunks: 3, pinnedChunks: 1, evictedChunks: 9, pendingWrites: 2},
      ...{readBytes: 5, writeBytes: 6, failures: 1 + 2 + 4, hitPercent: (75 / 300) * 100},
    })
    expect(remote).to.include({degraded: 'ECONNREFUSED', chunks: null, bytes: null, failures: null})
  })

  it("of LMCache's own are those of its page", () => {
    const usage = ['lmcache:local_cache_usage{w="0"} 10', 'lmcache:local_cache_usage{w="1"} 20']
    const tiers = tierFigures('http://w', 5, null, valuesOf(...page, ...usage))
    expect(tiers.map(({name, bytes, chunks}) => [name, bytes, chunks])).to.deep.equal([
      ['LocalCPUBackend', 30, null],
    ])
  })

  it('are none where neither is one', () => {
    expect(tierFigures('http://w', 5, null, valuesOf('process_cpu_seconds_total 1'))).to.deep.equal([])
    expect(tierFigures('http://w', 5, {object: 'list'}, valuesOf())).to.deep.equal([])
  })
})
