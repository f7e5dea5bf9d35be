import {expect} from 'chai'
import {CallTimes} from '../../../src/lib/gpu/call-times.js'

describe('the times of driver calls', () => {
  it('pass arguments and status on, tell each call before it is made, and count it', () => {
    const told: string[] = []
    const times = new CallTimes(call => told.push(call))
    const call = times.watch('nvmlInit_v2', (...args) => {
      expect(told).to.deep.equal(['nvmlInit_v2'])
      return args.length
    })
    expect(call(1, 2)).to.equal(2)
    const [only] = times.summary()
    expect(only).to.include({call: 'nvmlInit_v2', count: 1})
    expect(only!.worstMs).to.equal(only!.medianMs)
  })

  it('begin anew but for one, and put the slowest first', () => {
    const times = new CallTimes(() => undefined)
    const busy = (ms: number) => (): number => {
      const endMs = performance.now() + ms
      while (performance.now() < endMs);
      return 0
    }
    const [slow, quick] = [times.watch('slow', busy(20)), times.watch('quick', busy(0))]
    for (const call of [quick, slow, slow]) call()
    expect(times.summary().map(({call, count}) => `${call} ${count}`)).to.deep.equal(['slow 2', 'quick 1'])
    times.forgetAllBut('quick')
    expect(times.summary().map(({call}) => call)).to.deep.equal(['quick'])
  })
})
