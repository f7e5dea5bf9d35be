import {expect} from 'chai'
import {VirtualClock} from '../../../src/lib/foundation/index.js'
import {sharedFor} from '../../../src/server/shared-for.js'

describe('a result that is shared for a time', () => {
  it('is made once for callers during the call and until its age is over', async () => {
    const clock = new VirtualClock()
    let calls = 0
    const shared = sharedFor(1000, clock, async () => {
      await clock.sleep(300)
      return ++calls
    })
    expect(await Promise.all([shared(), shared()])).to.deep.equal([1, 1])
    clock.advanceTo((300 + 999) * 1e6)
    expect(await shared()).to.equal(1)
    clock.advanceTo((300 + 1000) * 1e6)
    expect(await shared()).to.equal(2)
  })

  it('is tried again after a failure', async () => {
    let calls = 0
    const shared = sharedFor(1000, new VirtualClock(), async () => {
      if (++calls === 1) throw new Error('not now')
      return calls
    })
    const failure = await shared().catch((error: unknown) => (error as Error).message)
    expect(failure).to.equal('not now')
    expect(await shared()).to.equal(2)
  })
})
