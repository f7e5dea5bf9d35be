import {expect} from 'chai'
import {planListeners} from '../../../src/server/plan-listeners.js'

describe('the listeners of kvctl serve', () => {
  const both = ['segments', 'system'] as const

  it('are the main port alone unless families ask for more', () => {
    expect(planListeners(6767, both, [])).to.deep.equal([{port: 6767, families: both}])
  })

  it('are shared by families that name one port', () => {
    const extra = [
      {family: 'system', port: 8080},
      {family: 'segments', port: 7000},
      {family: 'segments', port: 8080},
      {family: 'system', port: 8080},
    ] as const
    expect(planListeners(6767, both, extra)).to.deep.equal([
      {port: 6767, families: both},
      {port: 8080, families: ['system', 'segments']},
      {port: 7000, families: ['segments']},
    ])
  })

  it('are no more for a family that names the main port, which has it already', () => {
    expect(planListeners(6767, both, [{family: 'system', port: 6767}])).to.have.length(1)
    expect(planListeners(0, both, [{family: 'system', port: 0}])).to.have.length(2)
  })

  it('are refused for a family that is not served', () => {
    expect(() => planListeners(6767, ['system'], [{family: 'segments', port: 1}])).to.throw(
      '--api leaves segments out',
    )
  })
})
