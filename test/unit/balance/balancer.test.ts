import {expect} from 'chai'
import {balanceJson, Balancer, type BalanceMove} from '../../../src/lib/balance/index.js'
import {parseYaml} from '../../../src/lib/config/index.js'
import {silentLogger, VirtualClock} from '../../../src/lib/foundation/index.js'
import type {HttpClient} from '../../../src/lib/http/index.js'
import {controllerConfigOf} from '../../../src/lib/router/index.js'
import {segmentFolder, type SegmentFolder} from '../../support/segments.js'

const MIB = 2 ** 20
const [STARTUP, TOTAL, FLOOR] = [1024 * MIB, 1024 * MIB, 128 * MIB]
/** As fast as a shrinking engine gives pages back here. */
const GIVEN_BACK_BYTES_PER_S = 400 * MIB
const NAMES = ['a', 'b'] as const
type Name = (typeof NAMES)[number]

/** Two engines behind real segments: what their requests want, and what they hold of it within their limits. */
class Engines {
  readonly wants: Record<Name, number> = {a: 0, b: 0}
  readonly #holds: Record<Name, number> = {a: 0, b: 0}
  readonly #folder: SegmentFolder
  readonly #clock: VirtualClock

  constructor(folder: SegmentFolder, clock: VirtualClock) {
    this.#folder = folder
    this.#clock = clock
    for (const name of NAMES) folder.put(name, BigInt(STARTUP))
  }

  async limits(): Promise<Record<Name, number>> {
    const looks = await Promise.all(NAMES.map(name => this.#folder.store.read(name)))
    const [a, b] = looks.map(({record}) => Number(record.limitBytes))
    return {a: a!, b: b!}
  }

  /** So much time goes by: each takes what it wants within its limit, and gives back what is above it. */
  async live(seconds: number): Promise<void> {
    this.#clock.advanceTo(this.#clock.nowNs() + seconds * 1e9)
    const limits = await this.limits()
    for (const name of NAMES) {
      const wished = Math.min(this.wants[name], limits[name])
      const least = this.#holds[name] - GIVEN_BACK_BYTES_PER_S * seconds
      this.#holds[name] = Math.max(wished, Math.min(this.#holds[name], least))
      this.#folder.store.publish(name, this.#holds[name], 0)
    }
  }

  /** Serves `/metrics`, which is all that is asked for. */
  readonly http: HttpClient = {
    get: async url => {
      const name = url.includes('//a') ? 'a' : 'b'
      const text = `vllm:kv_cache_usage_perc{engine="0"} ${this.#holds[name] / STARTUP}
vllm:num_requests_running{engine="0"} 1
vllm:num_requests_waiting{engine="0"} ${this.wants[name] > this.#holds[name] ? 3 : 0}
`
      return {url, status: 200, contentType: 'text/plain', headers: {}, text}
    },
    post: async () => Promise.reject(new Error('nothing is posted')),
    send: async () => Promise.reject(new Error('nothing is sent')),
    close: async () => {},
  }
}

describe('balancing', () => {
  let folder: SegmentFolder
  beforeEach(() => {
    folder = segmentFolder()
  })
  afterEach(() => folder.remove())

  const config = controllerConfigOf(
    parseYaml(
      `instances:
  - {model: a, engine: vllm, url: "http://a:1", segment: a}
  - {model: b, engine: vllm, url: "http://b:1", segment: b}
balance: {total: ${TOTAL}, segments: {a: {floor: 128M}, b: {floor: 128M}}}`,
      'c.yaml',
    ),
    {},
  ).balance!

  it('follows demand that moves within 10 s, as its dry run said, with the sum and the floors kept at every sample', async () => {
    const clock = new VirtualClock()
    const engines = new Engines(folder, clock)
    const parts = {segments: folder.store, http: engines.http, clock, logger: silentLogger}
    const balancer = new Balancer(parts, config)
    const {signal} = new AbortController()
    const seconds = (): number => clock.nowNs() / 1e9
    /** Looks as often as the file says, and at what is in between every 100 ms. */
    const untilStill = async (): Promise<{atS: number; moves: BalanceMove[]}> => {
      const moves: BalanceMove[] = []
      let [atS, stillFor] = [seconds(), 0]
      while (stillFor < 4) {
        const written = await balancer.step(signal)
        if (written.length > 0) [atS, stillFor] = [seconds(), 0]
        else stillFor++
        moves.push(...written)
        for (let sample = 0; sample < config.intervalMs; sample += 100) {
          await engines.live(0.1)
          const {a, b} = await engines.limits()
          expect(a + b, 'the sum').to.be.at.most(TOTAL)
          expect(Math.min(a, b), 'the floor').to.be.at.least(FLOOR)
        }
      }
      return {atS, moves}
    }
    // Both begin with half.
    for (const name of NAMES) await folder.store.writeLimit(name, BigInt(TOTAL / 2))
    engines.wants.a = 2000 * MIB
    await engines.live(5)
    await untilStill()
    expect(await engines.limits()).to.deep.equal({a: TOTAL - FLOOR, b: FLOOR})

    const movedAtS = seconds()
    ;[engines.wants.a, engines.wants.b] = [0, 2000 * MIB]
    await engines.live(3)
    const dry = await new Balancer(parts, config).view(signal)
    expect(
      dry.plan.moves.map(({segment, fromBytes, toBytes}) => [segment, fromBytes, toBytes]),
    ).to.deep.equal([
      ['a', TOTAL - FLOOR, FLOOR],
      ['b', FLOOR, TOTAL - FLOOR],
    ])
    const {atS, moves} = await untilStill()
    expect(atS - movedAtS).to.be.at.most(10)
    for (const {segment, toBytes} of dry.plan.moves)
      expect(moves.filter(move => move.segment === segment).at(-1)).to.include({toBytes})
    expect(await engines.limits()).to.deep.equal({a: FLOOR, b: TOTAL - FLOOR})
  })

  it('does not take a pause between two requests for the end of demand', async () => {
    const clock = new VirtualClock()
    const engines = new Engines(folder, clock)
    const parts = {
      segments: folder.store,
      http: engines.http,
      clock,
      logger: silentLogger,
    }
    const balancer = new Balancer(parts, config)
    const {signal} = new AbortController()
    ;[engines.wants.a, engines.wants.b] = [500 * MIB, 500 * MIB]
    await engines.live(1)
    const before = (await balancer.view(signal)).plan.targets
    engines.wants.a = 0
    await engines.live(60)
    expect((await balancer.view(signal)).plan.targets).to.deep.equal(before)
    expect((await balancer.view(signal)).plan.targets.get('a')).to.equal(FLOOR)
  })
  it('names no target while a segment is missing', async () => {
    const clock = new VirtualClock()
    const engines = new Engines(folder, clock)
    const parts = {segments: folder.store, http: engines.http, clock, logger: silentLogger}
    folder.store.remove('b')
    const {segments, missing, moves} = balanceJson(
      await new Balancer(parts, config).view(new AbortController().signal),
    )
    expect(segments.map(({segment, target_bytes: target}) => [segment, target])).to.deep.equal([['a', null]])
    expect([missing, moves]).to.deep.equal([['b'], []])
  })
})
