import {expect} from 'chai'
import fc from 'fast-check'
import {blockRange, pageOfBlock} from '../../../src/lib/kvcache/block-page.js'
import {KvCacheManager, type KvCacheOptions} from '../../../src/lib/kvcache/index.js'
import {ResourceError} from '../../../src/lib/foundation/index.js'

/** A pool whose mapped pages, limit and published figures a test can see. */
class Pool {
  readonly mapped = new Set<number>()
  published = {used: 0, preallocated: 0}
  limit: number | null = null
  spareMachinePages = Infinity
  failsToMap = false
  readonly manager: KvCacheManager

  constructor(options: Partial<KvCacheOptions> = {}) {
    const mapper = {
      map: (ids: readonly number[]) => {
        if (this.failsToMap || ids.length > this.spareMachinePages)
          throw new ResourceError('MEMORY_EXHAUSTED', 'no memory')
        for (const id of ids) {
          expect(this.mapped.has(id), `page ${id} is mapped twice`).to.equal(false)
          this.mapped.add(id)
        }
      },
      unmap: (ids: readonly number[]) => {
        for (const id of ids) expect(this.mapped.delete(id), `page ${id} is unmapped twice`).to.equal(true)
      },
      availablePages: () => this.spareMachinePages,
    }
    const usage = {
      limitBytes: () => this.limit,
      publish: (used: number, preallocated: number) => (this.published = {used, preallocated}),
    }
    this.manager = new KvCacheManager(mapper, usage, {
      numBlocks: 64,
      blockBytes: 2,
      pageBytes: 16,
      numLayers: 1,
      buffersPerLayer: 2,
      reservesNullBlock: true,
      minReservedPages: 0,
      maxReservedPages: 0,
      defersUnmapping: false,
      ...options,
    })
  }

  alloc(count: number): number[] {
    const ids = this.manager.alloc(count)
    expect(ids).not.to.equal(null)
    return ids!
  }
}

const range = (from: number, to: number): number[] =>
  Array.from({length: to - from + 1}, (_, index) => from + index)

describe('pages and blocks', () => {
  it('leave out blocks that straddle two pages: 6-byte blocks on 16-byte pages', () => {
    const geometry = {pageBytes: 16, blockBytes: 6}
    expect(blockRange(0, geometry)).to.deep.equal({first: 0, end: 2})
    expect(blockRange(1, geometry)).to.deep.equal({first: 3, end: 5})
    expect(blockRange(2, geometry)).to.deep.equal({first: 6, end: 8})
    expect([0, 1, 3, 4, 6, 7].map(id => pageOfBlock(id, geometry))).to.deep.equal([0, 0, 1, 1, 2, 2])
  })

  it('never hand out such a block', () => {
    const {manager} = new Pool({numBlocks: 24, blockBytes: 6})
    expect(manager.alloc(5)).to.deep.equal([1, 3, 4, 6, 7])
  })

  it('refuse blocks larger than a page and name the page that would do', () => {
    expect(() => new Pool({blockBytes: 3 * 2 ** 20, pageBytes: 2 ** 21}))
      .to.throw('does not fit into a page')
      .with.deep.property('suggestions', ['use pages of 4 MiB (KVCACHED_PAGE_SIZE_MB=4)'])
  })
})

describe('the KV cache manager', () => {
  it('fills pages best fit, oldest page first on ties', () => {
    const pool = new Pool()
    expect(pool.alloc(5)).to.deep.equal(range(1, 5))
    expect(pool.alloc(10)).to.deep.equal(range(6, 15))
    expect(pool.alloc(3)).to.deep.equal(range(16, 18))
    pool.manager.free(range(1, 5))
    // Page 2 has had 5 free blocks for longer than page 0.
    expect(pool.alloc(2)).to.deep.equal([19, 20])
  })

  it('answers null, changing nothing, when there is not enough', () => {
    const pool = new Pool()
    expect(pool.manager.availableSize()).to.equal(63)
    expect(pool.manager.alloc(64)).to.equal(null)
    expect(pool.manager.alloc(0)).to.deep.equal([])
    expect(pool.manager.availableSize()).to.equal(63)
    expect(pool.alloc(63)).to.deep.equal(range(1, 63))
  })

  it('takes back what it had when the machine runs out of memory half-way', () => {
    const pool = new Pool()
    pool.failsToMap = true
    expect(pool.manager.alloc(8)).to.equal(null)
    expect(pool.manager.allocatedBlocks).to.equal(1)
    pool.failsToMap = false
    expect(pool.alloc(8)).to.deep.equal([...range(1, 7), 8])
  })

  it('goes without a reserve when the machine has no memory for one', () => {
    const pool = new Pool({minReservedPages: 2, maxReservedPages: 2})
    pool.spareMachinePages = 1
    pool.failsToMap = true
    expect(pool.manager.preallocate(2)).to.equal(0)
    pool.failsToMap = false
    expect(pool.manager.preallocate(2)).to.equal(2)
  })

  it('detects a block freed twice and a block never handed out', () => {
    const pool = new Pool()
    const ids = pool.alloc(2)
    pool.manager.free(ids)
    expect(() => pool.manager.free([ids[0]!])).to.throw('KV block 1 is freed but not allocated')
    expect(() => pool.manager.free([40])).to.throw('KV block 40 is freed but not allocated')
  })

  it('keeps blocks aside until they are asked for or let go', () => {
    const pool = new Pool()
    expect(pool.manager.tryToReserve(60)).to.equal(true)
    expect(pool.manager.tryToReserve(64)).to.equal(false)
    expect(pool.alloc(10)).to.deep.equal(range(1, 10))
    pool.manager.freeReserved()
    expect(pool.manager.allocatedBlocks).to.equal(11)
    expect(pool.manager.availableSize()).to.equal(53)
  })

  it('publishes pages in use and pages kept mapped, over both buffers', () => {
    const pool = new Pool({minReservedPages: 2, maxReservedPages: 3})
    expect(pool.published).to.deep.equal({used: 32, preallocated: 0})
    expect(pool.manager.preallocate(10)).to.equal(2)
    expect(pool.published).to.deep.equal({used: 32, preallocated: 64})
    const ids = pool.alloc(39)
    expect(pool.published).to.deep.equal({used: 5 * 32, preallocated: 0})
    pool.manager.free(ids)
    expect(pool.published).to.deep.equal({used: 32, preallocated: 3 * 32})
    pool.manager.trim()
    expect(pool.published).to.deep.equal({used: 32, preallocated: 0})
    expect(pool.mapped).to.deep.equal(new Set([0]))
  })

  it('keeps memory of freed pages until told, when asked to defer that', () => {
    const pool = new Pool({defersUnmapping: true})
    pool.manager.free(pool.alloc(39))
    expect(pool.mapped.size).to.equal(5)
    expect(pool.published).to.deep.equal({used: 32, preallocated: 4 * 32})
    expect(pool.manager.unmapDoomed(3)).to.equal(3)
    expect(pool.mapped.size).to.equal(2)
  })
})

describe('a limit', () => {
  it('of the start-up size changes nothing, and one above it is clamped to it', () => {
    const pool = new Pool()
    for (const limit of [256, 257, 10_000]) {
      pool.limit = limit
      expect(pool.manager.applyPendingLimit()).to.deep.equal({inShrink: false, overBlocks: 0})
      expect(pool.manager.pageCounts.total).to.equal(8)
    }
  })

  it('of 0 or less, or less than a byte a buffer, is ignored', () => {
    const pool = new Pool()
    for (const limit of [0, -1, 1]) {
      pool.limit = limit
      pool.manager.applyPendingLimit()
      expect(pool.manager.pageCounts.total).to.equal(8)
    }
  })

  it('is floored to whole pages', () => {
    const pool = new Pool()
    pool.limit = 4 * 32 + 31
    pool.manager.applyPendingLimit()
    expect(pool.manager.pageCounts.total).to.equal(4)
    expect(pool.manager.availableSize()).to.equal(4 * 8 - 1)
  })

  it('above what is in use takes the last free page first and brings the same back first', () => {
    const pool = new Pool()
    pool.limit = 2 * 32
    pool.manager.applyPendingLimit()
    expect(pool.alloc(15)).to.deep.equal(range(1, 15))
    expect(pool.manager.alloc(1)).to.equal(null)
    pool.limit = 256
    expect(pool.alloc(9)).to.deep.equal([...range(56, 63), 48])
  })

  it('takes the reserve when the free pages do not suffice', () => {
    const pool = new Pool({minReservedPages: 6, maxReservedPages: 6})
    pool.manager.preallocate(6)
    expect(pool.mapped.size).to.equal(7)
    pool.limit = 3 * 32
    pool.manager.applyPendingLimit()
    expect(pool.mapped.size).to.equal(1)
    expect(pool.manager.pageCounts).to.deep.equal({total: 3, inUse: 1, reserved: 0, free: 2})
  })

  it('below what is in use opens no page, but hands out free blocks of open ones, until enough is freed', () => {
    const pool = new Pool()
    const ids = pool.alloc(27) // with the null block 28: pages 0–3, four blocks of page 3 free
    pool.limit = 2 * 32
    expect(pool.manager.applyPendingLimit()).to.deep.equal({inShrink: true, overBlocks: 28 - 16})
    expect(pool.manager.availableSize()).to.equal(4)
    expect(pool.alloc(4)).to.deep.equal(range(28, 31))
    expect(pool.manager.alloc(1)).to.equal(null)
    pool.manager.free(ids.slice(7, 15)) // 8–15: page 1
    expect(pool.manager.pageCounts).to.deep.include({total: 8, inUse: 3})
    pool.manager.free(range(16, 23)) // page 2
    expect(pool.manager.pageCounts).to.deep.equal({total: 2, inUse: 2, reserved: 0, free: 0})
    expect(pool.manager.applyPendingLimit()).to.deep.equal({inShrink: false, overBlocks: 0})
  })

  it('is met by moving blocks out of the thinnest pages when the blocks fit but the pages do not', () => {
    const pool = new Pool()
    pool.alloc(39) // pages 0–4 full
    pool.manager.free([9, 10, 11, 12, 13, 14, 15]) // page 1: one block left
    pool.manager.free([16, 17, 18, 19, 20, 21]) // page 2: two left
    pool.manager.free([25, 26, 27]) // page 3: five left
    pool.limit = 3 * 32
    expect(pool.manager.applyPendingLimit()).to.deep.equal({inShrink: true, overBlocks: 0})
    const moves = pool.manager.planCompaction(100)
    expect(moves.map(move => move.from)).to.deep.equal([8, 22, 23])
    expect(moves.map(move => move.to)).to.have.members([25, 26, 27])
    pool.manager.free(moves.map(move => move.from))
    expect(pool.manager.shrinkState()).to.deep.equal({inShrink: false, overBlocks: 0})
    expect(pool.mapped).to.deep.equal(new Set([0, 3, 4]))
    expect(pool.manager.planCompaction(100)).to.deep.equal([])
  })

  it('moves whole pages a few at a time', () => {
    const pool = new Pool()
    pool.alloc(63)
    for (let page = 1; page < 8; page++) pool.manager.free(range(page * 8 + 2, page * 8 + 7))
    pool.limit = 3 * 32
    pool.manager.applyPendingLimit()
    let rounds = 0
    for (
      let moves = pool.manager.planCompaction(3);
      moves.length > 0;
      moves = pool.manager.planCompaction(3)
    ) {
      expect(moves).to.have.length(2)
      pool.manager.free(moves.map(move => move.from))
      rounds++
    }
    expect(rounds).to.equal(5)
    expect(pool.mapped.size).to.equal(3)
  })

  it('never moves the null block', () => {
    const pool = new Pool()
    const ids = pool.alloc(15)
    pool.manager.free(ids.slice(0, 7)) // page 0 holds nothing but block 0
    pool.limit = 32
    pool.manager.applyPendingLimit()
    pool.manager.free(ids.slice(7, 8))
    const moves = pool.manager.planCompaction(100)
    expect(moves.map(move => move.from)).to.deep.equal(range(9, 15))
    expect(moves.map(move => move.to)).to.deep.equal(range(1, 7))
  })
})

describe('the KV cache manager, whatever is asked of it', () => {
  const command = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({kind: fc.constant('alloc' as const), count: fc.integer({min: 0, max: 20})}),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('free' as const),
        share: fc.double({min: 0, max: 1, noNaN: true}),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({kind: fc.constant('limit' as const), pages: fc.integer({min: 0, max: 10})}),
    },
    {weight: 2, arbitrary: fc.record({kind: fc.constant('compact' as const)})},
    {weight: 2, arbitrary: fc.record({kind: fc.constant('tidy' as const)})},
    {
      weight: 1,
      arbitrary: fc.record({kind: fc.constant('starve' as const), pages: fc.integer({min: 0, max: 4})}),
    },
  )

  it('gives no block twice, none on an unmapped page, and stays within a limit once it is met', () => {
    fc.assert(
      fc.property(fc.array(command, {maxLength: 120}), fc.boolean(), (commands, defersUnmapping) => {
        const pool = new Pool({defersUnmapping, minReservedPages: 1, maxReservedPages: 2})
        const held = new Set<number>()
        for (const step of commands) {
          if (step.kind === 'alloc') {
            const available = pool.manager.availableSize()
            const ids = pool.manager.alloc(step.count)
            if (ids === null) expect(step.count > available || pool.spareMachinePages < 8).to.equal(true)
            for (const id of ids ?? []) {
              expect(held.has(id) || id === 0, `block ${id} twice`).to.equal(false)
              held.add(id)
            }
          } else if (step.kind === 'free') {
            const ids = [...held].filter((_, index) => (index * 0.618) % 1 < step.share)
            pool.manager.free(ids)
            for (const id of ids) held.delete(id)
          } else if (step.kind === 'limit') {
            pool.limit = step.pages * 32
            pool.manager.applyPendingLimit()
          } else if (step.kind === 'compact') {
            const moves = pool.manager.planCompaction(10)
            for (const {from, to} of moves) {
              expect(held.delete(from), `moved block ${from} was not held`).to.equal(true)
              expect(held.has(to)).to.equal(false)
              held.add(to)
            }
            pool.manager.free(moves.map(move => move.from))
          } else if (step.kind === 'tidy') {
            pool.manager.unmapDoomed(2)
            pool.manager.preallocate(1)
          } else {
            pool.spareMachinePages = step.pages
          }
          const {total, inUse, reserved, free} = pool.manager.pageCounts
          expect(inUse + reserved + free).to.equal(total)
          expect(pool.manager.allocatedBlocks).to.equal(held.size + 1)
          expect(pool.mapped.size).to.equal(inUse + reserved)
          for (const id of held)
            expect(pool.mapped.has(Math.floor(id / 8)), `block ${id} has no memory`).to.equal(true)
          expect(pool.published).to.deep.equal({used: inUse * 32, preallocated: reserved * 32})
          const limit = pool.limit ?? 256
          if (!pool.manager.shrinkState().inShrink && limit > 0) {
            expect(pool.published.used + pool.published.preallocated).to.be.at.most(Math.max(32, limit))
          }
        }
      }),
      {numRuns: 300},
    )
  })

  it('always gets under a limit by freeing what it says is over and then moving', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(), {minLength: 10, maxLength: 40}),
        fc.integer({min: 1, max: 7}),
        (holes, pages) => {
          const pool = new Pool()
          const held = pool.alloc(63)
          for (const hole of holes) if (held.length > 1) pool.manager.free(held.splice(hole % held.length, 1))
          pool.limit = pages * 32
          const {overBlocks} = pool.manager.applyPendingLimit()
          pool.manager.free(held.splice(0, overBlocks))
          for (
            let moves = pool.manager.planCompaction(8);
            moves.length > 0;
            moves = pool.manager.planCompaction(8)
          ) {
            pool.manager.free(moves.map(move => move.from))
          }
          expect(pool.manager.shrinkState().inShrink).to.equal(false)
          expect(pool.mapped.size).to.be.at.most(pages)
        },
      ),
      {numRuns: 300},
    )
  })
})
