import {expect} from 'chai'
import fc from 'fast-check'
import {pageOfBlock} from '../../../src/lib/kvcache/block-page.js'
import {KvCacheManager} from '../../../src/lib/kvcache/index.js'
import {reserveHostMemory} from '../../../src/lib/memory/index.js'
import {ReferenceKvCache, type ReferenceSizes} from '../../support/reference-kv-cache.js'

const STEPS_PER_RUN = 20_000
const RUNS = 50
const PAGE_BYTES = 4096

/** mulberry32: a million steps have to be cheap. */
function dice(seed: number): (below: number) => number {
  let state = seed >>> 0
  return below => {
    state = (state + 0x6d2b79f5) >>> 0
    let word = Math.imul(state ^ (state >>> 15), state | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return Math.floor((((word ^ (word >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

/** A pool on real pages of 4 KiB beside the reference, both told the same. */
function compare(sizes: ReferenceSizes, seed: number): void {
  const roll = dice(seed)
  const totalPages = Math.floor((sizes.numBlocks * sizes.blockBytes) / sizes.pageBytes)
  const memory = reserveHostMemory({pageBytes: PAGE_BYTES, pageCount: totalPages, name: 'kvctl-test'})
  try {
    const mapper = {
      map: (ids: readonly number[]) => {
        for (const id of ids) {
          expect(memory.isMapped(id), `page ${id} is mapped twice`).to.equal(false)
          memory.map(id)
        }
      },
      unmap: (ids: readonly number[]) => ids.forEach(id => memory.unmap(id)),
      availablePages: () => Infinity,
    }
    let limitPages: number | null = null
    let published = 0
    const usage = {
      limitBytes: () => (limitPages === null ? null : limitPages * sizes.pageBytes),
      publish: (used: number, preallocated: number) => (published = used + preallocated),
    }
    const manager = new KvCacheManager(mapper, usage, {
      ...sizes,
      numLayers: 1,
      buffersPerLayer: 1,
      reservesNullBlock: true,
      minReservedPages: Math.min(sizes.minReserved, totalPages),
      maxReservedPages: Math.min(sizes.maxReserved, totalPages),
      defersUnmapping: false,
    })
    const reference = new ReferenceKvCache(sizes)
    const held: number[] = []
    const isHeld = new Uint8Array(sizes.numBlocks)

    for (let step = 0; step < STEPS_PER_RUN; step++) {
      const what = roll(100)
      if (what < 45) {
        const count = roll(4) === 0 ? roll(40) : roll(6)
        const ids = manager.alloc(count)
        const expected = reference.alloc(count)
        if (String(ids) !== String(expected)) expect(ids, `step ${step}`).to.deep.equal(expected)
        for (const id of ids ?? []) {
          if (isHeld[id] === 1) expect.fail(`block ${id} is handed out twice`)
          if (!memory.isMapped(pageOfBlock(id, sizes))) expect.fail(`block ${id} has no memory`)
          isHeld[id] = 1
          held.push(id)
        }
      } else if (what < 88) {
        const ids: number[] = []
        for (let count = Math.min(held.length, roll(4) === 0 ? roll(60) : roll(6)); count > 0; count--) {
          const at = roll(held.length)
          ids.push(held[at]!)
          held[at] = held.at(-1)!
          held.pop()
        }
        for (const id of ids) isHeld[id] = 0
        manager.free(ids)
        reference.free(ids)
      } else if (what < 92) {
        limitPages = 1 + roll(totalPages + 2)
        reference.limit(limitPages)
        // The watcher tells; both act on it when they allocate next.
        expect(manager.alloc(1)).to.deep.equal(
          reference.alloc(1)?.map(id => (held.push(id), (isHeld[id] = 1), id)) ?? null,
        )
      } else if (what < 94) {
        const count = roll(10)
        expect(manager.tryToReserve(count)).to.equal(reference.reserve(count))
      } else if (what < 95) {
        manager.freeReserved()
        reference.freeReserved()
      } else if (what < 96) {
        manager.trim()
        reference.trim()
      } else if (!reference.inShrink && !manager.shrinkState().inShrink) {
        manager.preallocate(Infinity)
        reference.preallocate()
      }

      const counts = manager.pageCounts
      const expected = reference.counts
      if (
        counts.inUse !== expected.inUse ||
        counts.reserved !== expected.reserved ||
        counts.total !== expected.total
      ) {
        expect(counts, `step ${step}`).to.deep.equal(expected)
      }
      if (published !== (counts.inUse + counts.reserved) * sizes.pageBytes)
        expect.fail('published figures are old')
      if (
        limitPages !== null &&
        !manager.shrinkState().inShrink &&
        counts.inUse + counts.reserved > limitPages
      ) {
        expect.fail(`${counts.inUse + counts.reserved} pages have memory, the limit is ${limitPages}`)
      }
      if (step % 200 === 0) {
        expect(memory.residentBytes()).to.equal((counts.inUse + counts.reserved) * PAGE_BYTES)
      }
    }
  } finally {
    memory.release()
  }
}

describe('the KV cache manager beside the published algorithm', function () {
  this.timeout(120_000)

  it('hands out the same blocks in the same order for a million random steps, on pages that really come and go', () => {
    const sizes = fc
      .record({
        pages: fc.integer({min: 2, max: 40}),
        blockBytes: fc.constantFrom(2, 4, 6, 10, 16),
        minReserved: fc.integer({min: 0, max: 5}),
        maxReserved: fc.integer({min: 0, max: 10}),
      })
      .map(({pages, blockBytes, ...reserve}) => ({
        ...reserve,
        numBlocks: Math.ceil((pages * 32) / blockBytes),
        blockBytes,
        pageBytes: 32,
      }))
    fc.assert(fc.property(sizes, fc.nat(), compare), {numRuns: RUNS})
  })
})
