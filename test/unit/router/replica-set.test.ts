import {expect} from 'chai'
import {prefixHashes, ReplicaSet, type Policy} from '../../../src/lib/router/core/index.js'
import {PrefixIndex} from '../../../src/lib/router/core/prefix.js'

const NOBODY: ReadonlySet<string> = new Set()

/** Engines a, b, c … of one model; weights as given. */
function engines(policy: Policy, ...weights: number[]): ReplicaSet {
  return new ReplicaSet(
    policy,
    weights.map((weight, index) => ({url: 'abcdef'[index]!, weight})),
  )
}

const choose = (
  set: ReplicaSet,
  {hashes = [] as number[], session = null as string | null, nowMs = 0} = {},
) => set.choose(hashes, session, NOBODY, nowMs)

describe('the choice of an engine', () => {
  it('is no choice where there is one', () => {
    expect(choose(engines('prefix', 1))).to.include({url: 'a', reason: 'only'})
  })

  it('falls on the least loaded: own requests, those of others it counts, then its KV cache', () => {
    const set = engines('least-loaded', 1, 1, 1)
    expect(['a', 'b', 'c'].map(() => choose(set)!.url)).to.deep.equal(['a', 'b', 'c'])
    set.ended('b', 'succeeded', 0)
    expect(choose(set)).to.include({url: 'b', reason: 'least-loaded'})
    // Each has 1 of ours; a and b have others' besides.
    set.measured('a', {running: 3, waiting: 1, kvUsage: 0.1}, 1)
    set.measured('b', {running: 2, waiting: 0, kvUsage: 0.1}, 1)
    expect(choose(set)!.url).to.equal('c')
    set.ended('c', 'succeeded', 0)
    set.measured('a', {running: 1, waiting: 0, kvUsage: 0.9}, 1)
    set.measured('b', {running: 1, waiting: 0, kvUsage: 0.5}, 1)
    set.measured('c', {running: 1, waiting: 0, kvUsage: 0.7}, 1)
    expect(choose(set)!.url).to.equal('b')
  })

  it('follows weights smoothly', () => {
    const set = engines('weighted', 5, 1, 1)
    const urls = Array.from({length: 14}, () => choose(set)!.url).join('')
    expect(urls).to.equal('aabacaaaabacaa')
  })

  it('keeps a session with its engine, also when another engine goes, and moves only those of the one that went', () => {
    const set = engines('session', 1, 1, 1)
    const sessions = Array.from({length: 60}, (_, index) => `user-${index}`)
    const places = (): string[] =>
      sessions.map(session => {
        const {url} = choose(set, {session})!
        set.ended(url, 'succeeded', 0)
        return url
      })
    // An hour later nothing of the load before counts.
    const before = places()
    expect(new Set(before)).to.deep.equal(new Set(['a', 'b', 'c']))
    expect(places()).to.deep.equal(before)
    set.configure(
      'session',
      ['a', 'c'].map(url => ({url, weight: 1})),
    )
    const after = places()
    for (const [index, url] of before.entries()) if (url !== 'b') expect(after[index]).to.equal(url)
  })

  it('breaks a session off an engine that has far more than the others', () => {
    const set = engines('session', 1, 1)
    const home = choose(set, {session: 's'})!.url
    const decisions = Array.from({length: 20}, () => choose(set, {session: 's'})!)
    expect(decisions.map(({reason}) => reason)).to.include('session-overloaded')
    expect(decisions.some(({url}) => url !== home)).to.equal(true)
    expect(choose(set)!.reason).to.equal('no-session')
  })

  it('asks none that failed this request, whose circuit is open, that sleeps, or is ill while others are not', () => {
    const set = engines('least-loaded', 1, 1)
    expect(set.choose([], null, new Set(['a']), 0)!.url).to.equal('b')
    set.probed('a', false)
    expect([choose(set)!.url, choose(set)!.url]).to.deep.equal(['b', 'b'])
    set.slept('b', true)
    // All that are left look ill: the check may be wrong.
    expect(choose(set)!.url).to.equal('a')
    set.slept('a', true)
    expect(choose(set)).to.equal(null)
  })
})

describe('the circuit of an engine', () => {
  const failing = (set: ReplicaSet, times: number, nowMs: number): void => {
    for (let index = 0; index < times; index++) {
      expect(set.choose([], null, NOBODY, nowMs)).to.not.equal(null)
      set.ended('a', 'failed', nowMs)
    }
  }

  it('opens after three failures in a row, lets one try after a second, then waits twice as long', () => {
    const set = engines('least-loaded', 1)
    failing(set, 3, 0)
    expect(set.looks(999)[0]!.circuit).to.equal('open')
    expect(choose(set, {nowMs: 999})).to.equal(null)
    expect(choose(set, {nowMs: 1000})!.url).to.equal('a')
    expect(choose(set, {nowMs: 1000}), 'one at a time').to.equal(null)
    set.ended('a', 'failed', 1000)
    expect(choose(set, {nowMs: 2999})).to.equal(null)
    expect(choose(set, {nowMs: 3000})!.url).to.equal('a')
    set.ended('a', 'succeeded', 3000)
    expect(set.looks(3000)[0]!.circuit).to.equal('closed')
    expect(choose(set, {nowMs: 3000})!.url).to.equal('a')
  })

  it('counts failures in a row only, and no client that left', () => {
    const set = engines('least-loaded', 1)
    failing(set, 2, 0)
    choose(set)
    set.ended('a', 'succeeded', 0)
    failing(set, 2, 0)
    choose(set)
    set.ended('a', 'cancelled', 0)
    expect(set.looks(0)[0]!.circuit).to.equal('closed')
  })

  it('lets another try when the client of the first one left', () => {
    const set = engines('least-loaded', 1)
    failing(set, 3, 0)
    choose(set, {nowMs: 1000})
    set.ended('a', 'cancelled', 1000)
    expect(choose(set, {nowMs: 1000})!.url).to.equal('a')
  })

  it('closes when an engine that was ill is well again', () => {
    const set = engines('least-loaded', 1)
    failing(set, 3, 0)
    set.probed('a', false)
    set.probed('a', true)
    expect(choose(set, {nowMs: 1})!.url).to.equal('a')
  })
})

describe('prefixes', () => {
  it('are whole blocks, each standing for all before it', () => {
    const text = 'x'.repeat(256) + 'y'.repeat(256)
    const hashes = prefixHashes(`${text}z`)
    expect(hashes).to.have.length(2)
    expect(prefixHashes(`${text}${'q'.repeat(300)}`).slice(0, 2)).to.deep.equal(hashes)
    expect(prefixHashes(`w${text}`)[0]).to.not.equal(hashes[0])
    expect(prefixHashes('x'.repeat(255))).to.deep.equal([])
    expect(hashes.every(Number.isSafeInteger)).to.equal(true)
  })

  it('do not collide among 200,000 blocks', () => {
    const seen = new Set<number>()
    for (let text = 0; text < 1000; text++)
      for (const hash of prefixHashes(`${text}${'lorem ipsum '.repeat(4300)}`.slice(0, 200 * 256)))
        seen.add(hash)
    expect(seen.size).to.equal(200_000)
  })

  it('are forgotten least recently used first, the end of a text before its start', () => {
    const index = new PrefixIndex(4)
    index.add([1, 2, 3])
    index.add([7, 8])
    expect([index.match([1, 2, 3]), index.match([7, 8])]).to.deep.equal([2, 2])
    index.add([1])
    index.add([9])
    expect([index.match([1, 2]), index.match([7, 8]), index.match([9])]).to.deep.equal([1, 2, 1])
  })

  it('follow the sessions of a multi-turn load: nearly all that one engine would find, evenly spread', () => {
    const set = engines('prefix', 1, 1, 1)
    const single = engines('prefix', 1)
    const sessions = Array.from({length: 30}, (_, index) => ({
      text: `${'You are a helpful assistant. '.repeat(20)}user ${index}: `,
      turns: 0,
    }))
    let state = 7
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return (state >>> 8) % below
    }
    const found = {three: 0, one: 0}
    const requests = new Map<string, number>()
    const running: string[] = []
    for (let nowMs = 0; nowMs < 600 * 100; nowMs += 100) {
      const session = sessions[random(sessions.length)]!
      session.text += `question ${session.turns++} ${String(random(1e9)).repeat(30)} `
      const hashes = prefixHashes(session.text)
      const decision = choose(set, {hashes, nowMs})!
      found.three += decision.candidates.find(({url}) => url === decision.url)!.matched
      found.one += choose(single, {hashes, nowMs})!.candidates[0]!.matched
      requests.set(decision.url, (requests.get(decision.url) ?? 0) + 1)
      running.push(decision.url)
      if (running.length > 6) set.ended(running.shift()!, 'succeeded', nowMs)
    }
    expect(found.three / found.one).to.be.at.least(0.9)
    expect(Math.max(...requests.values()) / (600 / 3)).to.be.at.most(1.25)
  })
})
