import {expect} from 'chai'
import {movesAllowedNow, planBalance, type BalanceLook} from '../../../src/lib/balance/plan-balance.js'

const MIB = 2 ** 20

const look = (segment: string, figures: Partial<Omit<BalanceLook, 'segment'>>): BalanceLook => ({
  segment,
  limitBytes: 500 * MIB,
  heldBytes: 0,
  demandBytes: 0,
  floorBytes: 100 * MIB,
  ceilingBytes: 1000 * MIB,
  ...figures,
})
const inMib = (targets: ReadonlyMap<string, number>): Record<string, number> =>
  Object.fromEntries([...targets].map(([segment, bytes]) => [segment, bytes / MIB]))

describe('the sharing of a memory', () => {
  it('gives everybody the floor, and what is above by demand', () => {
    // 800 above the floors, as 3 : 1.
    const looks = [look('a', {demandBytes: 300}), look('b', {demandBytes: 100})]
    const {targets, moves} = planBalance(looks, 1000 * MIB, 0)
    expect(inMib(targets)).to.deep.equal({a: 700, b: 300})
    expect(moves).to.deep.equal([
      {
        ...{segment: 'b', fromBytes: 500 * MIB, toBytes: 300 * MIB},
        because: 'its requests want 25 % of what all want',
      },
      {
        ...{segment: 'a', fromBytes: 500 * MIB, toBytes: 700 * MIB},
        because: 'its requests want 75 % of what all want',
      },
    ])
  })

  it('gives nobody more than the ceiling, and the rest to others', () => {
    const looks = [
      look('a', {demandBytes: 900, ceilingBytes: 400 * MIB}),
      look('b', {demandBytes: 100}),
      look('c', {}),
    ]
    expect(inMib(planBalance(looks, 1000 * MIB, 0).targets)).to.deep.equal({a: 400, b: 500, c: 100})
  })

  it('lets those who want nothing have what those who do may not', () => {
    const looks = [look('a', {demandBytes: 1, ceilingBytes: 400 * MIB}), look('b', {})]
    expect(inMib(planBalance(looks, 1000 * MIB, 0).targets)).to.deep.equal({a: 400, b: 600})
  })

  it('changes nothing without demand, and nothing by less than a step', () => {
    expect(planBalance([look('a', {}), look('b', {})], 1000 * MIB, 0).moves).to.deep.equal([])
    const nearly = [look('a', {demandBytes: 100}), look('b', {demandBytes: 101})]
    expect(planBalance(nearly, 1000 * MIB, 50 * MIB).moves).to.deep.equal([])
  })

  it('takes from idle segments only what is above a ceiling', () => {
    const looks = [
      look('a', {limitBytes: 600 * MIB, ceilingBytes: 399 * MIB}),
      look('b', {limitBytes: 400 * MIB}),
    ]
    const {targets, moves} = planBalance(looks, 1000 * MIB, 50 * MIB)
    expect(inMib(targets)).to.deep.equal({a: 398, b: 400})
    expect(moves).to.deep.equal([
      {
        ...{segment: 'a', fromBytes: 600 * MIB, toBytes: 398 * MIB},
        because: 'its limit is above its ceiling',
      },
    ])
    // At start-up total, which is a page above the ceiling, all is well.
    const fresh = planBalance([look('a', {limitBytes: 1002 * MIB}), look('b', {})], 1502 * MIB, 50 * MIB)
    expect(inMib(fresh.targets)).to.deep.equal({a: 1000, b: 500})
    expect(fresh.moves).to.deep.equal([])
  })

  it('raises only into what is really free: a shrink that the engine has not obeyed yet is waited for', () => {
    const looks = [look('a', {demandBytes: 1}), look('b', {heldBytes: 480 * MIB})]
    const plan = planBalance(looks, 1000 * MIB, 0)
    expect(inMib(plan.targets)).to.deep.equal({a: 900, b: 100})
    const now = movesAllowedNow(looks, plan, 1000 * MIB, 0)
    expect(now.map(({segment, toBytes}) => [segment, toBytes / MIB])).to.deep.equal([
      ['b', 100],
      ['a', 520],
    ])
  })

  it('never exceeds the total, keeps every floor and ceiling, and ends where the plan said: 300 random cases', () => {
    let state = 11
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return (state >>> 8) % below
    }
    for (let round = 0; round < 300; round++) {
      const total = 1000 * MIB
      const names = ['a', 'b', 'c'].slice(0, 2 + random(2))
      let looks = names.map(segment =>
        look(segment, {
          limitBytes: Math.floor(1000 / names.length / 2) * 2 * MIB,
          heldBytes: random(330) * MIB,
          demandBytes: random(3) * random(100),
          floorBytes: (20 + random(50)) * 2 * MIB,
          ceilingBytes: (200 + random(300)) * 2 * MIB,
        }),
      )
      const wanted = planBalance(looks, total, 0)
      for (let step = 0; step < 8; step++) {
        for (const {segment, toBytes} of movesAllowedNow(looks, planBalance(looks, total, 0), total, 0)) {
          looks = looks.map(one => (one.segment === segment ? {...one, limitBytes: toBytes} : one))
          expect(looks.reduce((sum, {limitBytes}) => sum + limitBytes, 0)).to.be.at.most(total)
          const held = looks.reduce((sum, one) => sum + Math.max(one.heldBytes, one.limitBytes), 0)
          expect(held).to.be.at.most(
            total + looks.reduce((sum, one) => sum + Math.max(0, one.heldBytes - one.limitBytes), 0),
          )
        }
        // The engines obey one after the other.
        looks = looks.map((one, index) =>
          index === step % looks.length ? {...one, heldBytes: Math.min(one.heldBytes, one.limitBytes)} : one,
        )
      }
      for (const one of looks) {
        const target = wanted.targets.get(one.segment)!
        expect(Math.abs(one.limitBytes - target), `${round} ${one.segment}`).to.be.at.most(2 * MIB)
        if (looks.some(({demandBytes}) => demandBytes > 0)) {
          expect(one.limitBytes).to.be.within(one.floorBytes - 2 * MIB, one.ceilingBytes)
        }
      }
    }
  })
})
