import {expect} from 'chai'
import fc from 'fast-check'
import {
  instanceState,
  judgeRevision,
  splitLimit,
  type MemoryLimitState,
} from '../../../src/lib/elastic/memory-limit.js'

describe('a limit with a revision', () => {
  it('is new, the same, stale or a conflict by its number', () => {
    const last = {limitBytes: 100, revision: 5}
    expect(judgeRevision(null, {limitBytes: 0, revision: 0})).to.equal('new')
    expect(judgeRevision(last, {limitBytes: 100, revision: 6})).to.equal('new')
    expect(judgeRevision(last, {limitBytes: 100, revision: 5})).to.equal('same')
    expect(judgeRevision(last, {limitBytes: 101, revision: 5})).to.equal('conflict')
    expect(judgeRevision(last, {limitBytes: 100, revision: 4})).to.equal('stale')
    for (const wrong of [-1, 0.5, NaN, Infinity]) {
      expect(() => judgeRevision(null, {limitBytes: wrong, revision: 1})).to.throw(RangeError, String(wrong))
      expect(() => judgeRevision(null, {limitBytes: 1, revision: wrong})).to.throw(RangeError, String(wrong))
    }
  })

  it('is split by size, and the last pool takes the rest', () => {
    // 100 of 300: 100·100/300 = 33, 100·50/300 = 16, and what is left.
    expect(splitLimit(100, [100, 50, 150])).to.deep.equal([33, 16, 51])
    expect(splitLimit(1000, [100, 50, 150]), 'no more than there is').to.deep.equal([100, 50, 150])
    expect(splitLimit(10, [])).to.deep.equal([])
    const bytes = fc.integer({min: 1, max: 2 ** 50})
    fc.assert(
      fc.property(fc.array(bytes, {minLength: 1, maxLength: 8}), fc.nat(2 ** 50), (capacities, limit) => {
        const all = capacities.reduce((sum, capacity) => sum + capacity, 0)
        const shares = splitLimit(limit, capacities)
        expect(shares.reduce((sum, share) => sum + share, 0)).to.equal(Math.min(limit, all))
      }),
    )
  })

  it('is as far as its worst pool, and says so when there is none', () => {
    const pool = (
      status: MemoryLimitState['status'],
      mapped: number,
      effective: number,
    ): MemoryLimitState => ({
      ...{status, pool_name: 'p', group_id: 0, limit_bytes: 1, revision: 7, reason: ''},
      ...{effective_limit_bytes: effective, current_capacity_bytes: effective, mapped_bytes: mapped},
      ...{remaining_bytes: 0, overage_bytes: 0},
    })
    const state = instanceState({limitBytes: 90, revision: 7}, [
      pool('applied', 10, 40),
      pool('deferred', 60, 40),
    ])
    expect(state).to.deep.include({
      status: 'deferred',
      reason: 'inuse_capacity_above_limit',
      limit_bytes: 90,
      revision: 7,
    })
    expect(state).to.deep.include({
      mapped_bytes: 70,
      effective_limit_bytes: 80,
      remaining_bytes: 10,
      overage_bytes: 0,
    })
    expect(instanceState({limitBytes: 90, revision: 7}, [])).to.deep.equal({
      ...{
        status: 'unavailable',
        reason: 'no_registered_kv_cache_pool',
        limit_bytes: 90,
        revision: 7,
        pools: [],
      },
      ...{effective_limit_bytes: 0, mapped_bytes: 0, remaining_bytes: 0, overage_bytes: 0},
    })
  })
})
