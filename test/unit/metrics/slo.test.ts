import {expect} from 'chai'
import {isGood, meets} from '../../../src/lib/metrics/index.js'

const LIMITS = {ttft: 500, tpot: 50}
const VALUES = {ttft: 400, tpot: 40, max_gap: 900, e2e: 4000}

describe('the goals of a request', () => {
  it('are all kept by a good one, whatever has no goal', () => {
    expect(isGood(LIMITS, VALUES)).to.equal(true)
    expect(isGood(LIMITS, {...VALUES, ttft: 500})).to.equal(true)
    expect(isGood(LIMITS, {...VALUES, ttft: 500.1})).to.equal(false)
    expect(isGood({...LIMITS, max_gap: 800}, VALUES)).to.equal(false)
  })

  it('are met where a metric is not defined, as the TPOT of a single token', () => {
    expect(meets(LIMITS, {...VALUES, tpot: null}, 'tpot')).to.equal(true)
    expect(isGood(LIMITS, {...VALUES, tpot: null})).to.equal(true)
  })
})
