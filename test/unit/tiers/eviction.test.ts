import {expect} from 'chai'
import fc from 'fast-check'
import {createEvictionPolicy} from '../../../src/lib/tiers/core/eviction/create-eviction-policy.js'
import {
  EVICTION_POLICIES,
  type EvictionPolicyName,
} from '../../../src/lib/tiers/core/eviction/eviction-policy.js'

/** What each policy should do, with a plain list: no key is looked up faster than by walking. */
class NaivePolicy {
  readonly #name: EvictionPolicyName
  #entries: {key: string; uses: number}[] = []

  constructor(name: EvictionPolicyName) {
    this.#name = name
  }

  added(key: string): void {
    if (!this.#entries.some(entry => entry.key === key)) this.#entries.push({key, uses: 1})
  }

  hit(key: string): void {
    const entry = this.#entries.find(one => one.key === key)
    if (entry === undefined) return
    entry.uses++
    if (this.#name === 'FIFO') return
    this.removed(key)
    this.#entries.push(entry)
  }

  removed(key: string): void {
    this.#entries = this.#entries.filter(entry => entry.key !== key)
  }

  candidate(mayEvict: (key: string) => boolean): string | null {
    const order = [...this.#entries]
    if (this.#name === 'MRU') order.reverse()
    if (this.#name === 'LFU') order.sort((a, b) => a.uses - b.uses)
    return order.find(({key}) => mayEvict(key))?.key ?? null
  }
}

describe('eviction', () => {
  for (const [name, order] of [
    ['LRU', ['b', 'c', 'a']],
    ['FIFO', ['a', 'b', 'c']],
    ['MRU', ['a', 'c', 'b']],
    ['LFU', ['b', 'c', 'a']],
  ] as const) {
    it(`by ${name} of a, b, c after a hit on a gives up ${order.join(', ')}`, () => {
      const policy = createEvictionPolicy(name)
      for (const key of ['a', 'b', 'c']) policy.added(key)
      policy.hit('a')
      const evicted: string[] = []
      for (let key = policy.candidate(() => true); key !== null; key = policy.candidate(() => true)) {
        evicted.push(key)
        policy.removed(key)
      }
      expect(evicted).to.deep.equal(order)
    })
  }

  for (const name of EVICTION_POLICIES) {
    it(`by ${name} passes over what may not go, and finds nothing where nothing may`, () => {
      const policy = createEvictionPolicy(name)
      for (const key of ['a', 'b']) policy.added(key)
      expect(policy.candidate(key => key === 'b')).to.equal('b')
      expect(policy.candidate(() => false)).to.equal(null)
    })

    it(`by ${name} chooses as a plain list would, whatever happens`, () => {
      const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')
      const event = fc.tuple(fc.constantFrom('added', 'hit', 'removed', 'pinned'), key)
      fc.assert(
        fc.property(fc.array(event, {maxLength: 40}), events => {
          const [policy, naive] = [createEvictionPolicy(name), new NaivePolicy(name)]
          const pinned = new Set<string>()
          for (const [what, one] of events) {
            if (what === 'pinned') {
              if (!pinned.delete(one)) pinned.add(one)
            } else {
              policy[what as 'added'](one)
              naive[what as 'added'](one)
            }
            const mayEvict = (candidate: string): boolean => !pinned.has(candidate)
            expect(policy.candidate(mayEvict)).to.equal(naive.candidate(mayEvict))
          }
        }),
        {numRuns: 500},
      )
    })
  }
})
