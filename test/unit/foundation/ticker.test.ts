import {expect} from 'chai'
import {createTicker} from '../../../src/lib/foundation/index.js'
import {warningsOfNode} from '../../support/warnings.js'

const fail = (error: unknown): void => {
  throw error
}

describe('a ticker', () => {
  it('produces once for many readers, and stops when the last one leaves', async () => {
    let produced = 0
    const ticker = createTicker(() => ++produced, 1, fail)
    const [first, second] = [new AbortController(), new AbortController()]
    const seen: [string, number][] = []
    await new Promise<void>(resolve => {
      ticker.subscribe(look => void seen.push(['first', look]), first.signal)
      ticker.subscribe(look => {
        seen.push(['second', look])
        if (look === 3) resolve()
      }, second.signal)
    })
    first.abort()
    second.abort()
    const atStop = produced
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(produced).to.equal(atStop)
    expect(ticker.latest()).to.equal(atStop)
    expect(seen.slice(0, 6)).to.deep.equal([
      ['first', 1],
      ['second', 1],
      ['first', 2],
      ['second', 2],
      ['first', 3],
      ['second', 3],
    ])
  })

  it('goes on at once when a look took longer than the interval, without a warning of Node', async () => {
    const warnings = warningsOfNode()
    const ticker = createTicker(() => Promise.resolve(1), 0.001, fail)
    const end = new AbortController()
    let looks = 0
    await new Promise<void>(resolve => {
      ticker.subscribe(() => {
        if (++looks === 100) resolve()
      }, end.signal)
    })
    end.abort()
    expect(await warnings.end()).to.deep.equal([])
  })

  it('lets a slow reader skip looks instead of queueing them', async () => {
    let produced = 0
    const ticker = createTicker(() => ++produced, 1, fail)
    const [slow, quick] = [new AbortController(), new AbortController()]
    const slowSaw: number[] = []
    let release: () => void = () => undefined
    ticker.subscribe(async look => {
      slowSaw.push(look)
      await new Promise<void>(resolve => (release = resolve))
    }, slow.signal)
    await new Promise<void>(resolve => {
      ticker.subscribe(look => {
        if (look === 5) release()
        if (look === 7) resolve()
      }, quick.signal)
    })
    slow.abort()
    quick.abort()
    expect(slowSaw).to.deep.equal([1, 6])
  })

  it('goes on after a look that failed', async () => {
    const errors: unknown[] = []
    let calls = 0
    const ticker = createTicker(
      () => {
        if (++calls === 2) throw new Error('driver hiccup')
        return calls
      },
      1,
      error => errors.push(error),
    )
    const stop = new AbortController()
    const seen: number[] = []
    await new Promise<void>(resolve => {
      ticker.subscribe(look => {
        seen.push(look)
        if (look === 3) resolve()
      }, stop.signal)
    })
    stop.abort()
    expect(seen).to.deep.equal([1, 3])
    expect(errors).to.have.length(1)
  })

  it('stays one round when readers change while a look is being taken', async () => {
    let calls = 0
    let finish: () => void = () => undefined
    const ticker = createTicker(
      async () => {
        calls++
        await new Promise<void>(resolve => (finish = resolve))
        return calls
      },
      1,
      () => undefined,
    )
    const [first, second] = [new AbortController(), new AbortController()]
    ticker.subscribe(() => undefined, first.signal)
    while (calls === 0) await new Promise(resolve => setTimeout(resolve, 1))
    first.abort()
    ticker.subscribe(() => undefined, second.signal)
    await new Promise(resolve => setTimeout(resolve, 10))
    expect(calls).to.equal(1)
    second.abort()
    finish()
  })
})
