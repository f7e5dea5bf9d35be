import {expect} from 'chai'
import {seededRandom, systemClock, VirtualClock} from '../../../src/lib/foundation/index.js'
import {warningsOfNode} from '../../support/warnings.js'

describe('clocks', () => {
  it('of tests move only when told to', async () => {
    const clock = new VirtualClock(5)
    await clock.sleep(2)
    expect(clock.nowNs()).to.equal(5 + 2e6)
    clock.advanceTo(1)
    expect(clock.nowNs()).to.equal(5 + 2e6)
  })

  it('of the machine never go back, and wake early with the reason when aborted', async () => {
    const before = systemClock.nowNs()
    await systemClock.sleep(1)
    expect(systemClock.nowNs()).to.be.greaterThan(before)
    const reason = new Error('enough')
    const sleeping = systemClock.sleep(60_000, AbortSignal.abort(reason))
    expect(await sleeping.catch((error: unknown) => error)).to.equal(reason)
  })

  it('of the machine take a time that has passed for no wait, without a warning of Node', async () => {
    const warnings = warningsOfNode()
    await systemClock.sleep(-0.001)
    expect(await warnings.end()).to.deep.equal([])
  })
})

describe('a seeded random source', () => {
  const draw = (seed: number): number[] => {
    const random = seededRandom(seed)
    return [random.unit(), random.integer(1, 6), random.exponential(3), random.normal(0, 1)]
  }

  it('repeats itself for a seed and differs between seeds', () => {
    expect(draw(42)).to.deep.equal(draw(42))
    expect(draw(42)).to.not.deep.equal(draw(43))
  })

  it('draws exponential and normal values with the mean that was asked for', () => {
    const random = seededRandom(1)
    const mean = (draw: () => number): number =>
      Array.from({length: 20_000}, draw).reduce((a, b) => a + b) / 20_000
    // Standard errors: 3/√20000 = 0.021 and 2/√20000 = 0.014; five of them are allowed.
    expect(mean(() => random.exponential(3))).to.be.closeTo(3, 0.106)
    expect(mean(() => random.normal(10, 2))).to.be.closeTo(10, 0.071)
  })
})
