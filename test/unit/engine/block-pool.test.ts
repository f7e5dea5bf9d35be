import {expect} from 'chai'
import fc from 'fast-check'
import {BlockPool} from '../../../src/lib/engine/core/block-pool.js'
import {FreeQueue} from '../../../src/lib/engine/core/free-queue.js'
import {plainBlockSource} from '../../../src/lib/engine/core/plain-block-source.js'

describe('the free queue', () => {
  it('behaves as a list from which any element can be taken or replaced', () => {
    const operation = fc.record({
      kind: fc.constantFrom('append', 'shift', 'remove', 'replace'),
      id: fc.nat(19),
      to: fc.nat(19),
    })
    fc.assert(
      fc.property(fc.array(operation, {maxLength: 100}), operations => {
        const queue = new FreeQueue(20)
        const list: number[] = []
        for (const {kind, id, to} of operations) {
          expect(queue.has(id)).to.equal(list.includes(id))
          if (kind === 'append' && !list.includes(id)) {
            queue.append(id)
            list.push(id)
          } else if (kind === 'shift') {
            expect(queue.shift()).to.equal(list.shift() ?? null)
          } else if (kind === 'remove' && list.includes(id)) {
            queue.remove(id)
            list.splice(list.indexOf(id), 1)
          } else if (kind === 'replace' && list.includes(id) && !list.includes(to)) {
            queue.replace(id, to)
            list[list.indexOf(id)] = to
          }
          expect([...queue]).to.deep.equal(list)
          expect(queue.length).to.equal(list.length)
        }
      }),
    )
  })
})

describe('the block pool', () => {
  it('counts references: no block is free while somebody has it, none is lost', () => {
    const operation = fc.record({
      kind: fc.constantFrom('allocate', 'release', 'share', 'publish', 'evict'),
      count: fc.integer({min: 1, max: 6}),
      pick: fc.nat(),
    })
    fc.assert(
      fc.property(fc.array(operation, {maxLength: 200}), operations => {
        const pool = new BlockPool(plainBlockSource(33))
        const owners: number[][] = []
        let hash = 0
        for (const {kind, count, pick} of operations) {
          const owner = owners[pick % Math.max(1, owners.length)]
          if (kind === 'allocate') {
            const ids = pool.allocate(count)
            if (ids === null) expect(pool.freeBlocks).to.be.below(count)
            else owners.push(ids)
          } else if (kind === 'release' && owner) {
            owners.splice(owners.indexOf(owner), 1)
            pool.release([...owner].reverse())
          } else if (kind === 'publish' && owner) {
            for (const id of owner) pool.publish(id, `h${hash++ % 40}`)
          } else if (kind === 'share') {
            const hits = pool.findPrefix([`h${pick % 40}`], 1)
            pool.touch(hits)
            if (hits.length > 0) owners.push(hits)
          } else if (kind === 'evict') {
            pool.evict(count)
          }
          const references = new Map<number, number>()
          for (const id of owners.flat()) references.set(id, (references.get(id) ?? 0) + 1)
          for (let id = 1; id < 33; id++) expect(pool.referencesOf(id)).to.equal(references.get(id) ?? 0)
          expect(pool.usedBlocks).to.equal(references.size)
          expect([...pool.freeOrder(), ...references.keys()].sort((a, b) => a - b)).to.deep.equal(
            Array.from({length: 32}, (_, index) => index + 1),
          )
          const {used, cachedFree, empty, total} = pool.counts
          expect(used + cachedFree + empty).to.equal(total)
        }
      }),
    )
  })

  it('takes nothing when the source gives less than it promised', () => {
    const out = new Set<number>()
    const pool = new BlockPool({
      numBlocks: 10,
      idLimit: 10,
      isElastic: true,
      take: () => (out.size === 0 ? [1, 2].map(id => (out.add(id), id)) : []),
      give: ids => ids.forEach(id => out.delete(id)),
      available: () => 9,
      capacity: () => 9,
      over: () => 0,
    })
    expect(pool.allocate(3)).to.equal(null)
    expect(out).to.deep.equal(new Set())
    expect(pool.usedBlocks).to.equal(0)
    expect(pool.allocate(2)).to.deep.equal([1, 2])
  })

  it('refuses a release that nobody is owed', () => {
    const pool = new BlockPool(plainBlockSource(5))
    const ids = pool.allocate(1)!
    pool.release(ids)
    expect(() => pool.release(ids)).to.throw('block 1 is released but not referenced')
  })
})
