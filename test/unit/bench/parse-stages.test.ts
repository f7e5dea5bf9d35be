import {expect} from 'chai'
import {parseStages} from '../../../src/lib/bench/index.js'
import {PLAIN_LOAD, resolveBenchOptions} from '../../../src/lib/bench/resolve-options.js'
import {planBench} from '../../../src/lib/bench/bench-plan.js'
import {benchOptions} from '../../support/load-job.js'

const FLAGS = {
  ...PLAIN_LOAD,
  api: 'chat' as const,
  ignoresEos: true,
  seed: 1,
  timeoutMs: 0,
  timeoutConnectMs: 0,
  timeoutFirstTokenMs: 0,
  timeoutIdleMs: 0,
}

describe('stages', () => {
  it('are rates, or requests in flight, and how long each lasts', () => {
    expect(parseStages('2:30s, 0.5:1m')).to.deep.equal([
      {ratePerSecond: 2, seconds: 30},
      {ratePerSecond: 0.5, seconds: 60},
    ])
    expect(parseStages('4c:30s,16c:1m30s')).to.deep.equal([
      {concurrency: 4, seconds: 30},
      {concurrency: 16, seconds: 90},
    ])
  })

  for (const text of [
    '',
    '2',
    '2:',
    ':30s',
    '0:30s',
    '-1:30s',
    '2:0s',
    '0c:30s',
    '1.5c:30s',
    'c:30s',
    '2:30s:4',
    '2:30s,',
    '2x:3s',
  ]) {
    it(`are not '${text}'`, () => {
      expect(() => parseStages(text)).to.throw(/is no rate, or requests in flight, and time of a stage/)
    })
  }

  it('are all of one kind', () => {
    expect(() => parseStages('2:30s,4c:30s')).to.throw("'2:30s,4c:30s' mixes rates with requests in flight")
  })

  it('are a pattern of their own, without its name; another one refuses them', () => {
    const flags = {...FLAGS, stages: parseStages('2c:10s')}
    expect(resolveBenchOptions(flags, {}).pattern).to.equal('stages')
    expect(() => resolveBenchOptions({...flags, pattern: 'poisson'}, {})).to.throw(
      '--stages is no part of --pattern poisson',
    )
  })

  it('of requests in flight are a closed loop that ends by their time', () => {
    const plan = planBench(
      benchOptions({pattern: 'stages', requests: 500, stages: parseStages('2c:10s,8c:20s')}),
    )
    expect(plan).to.include({mode: 'closed', concurrency: 8, durationMs: 30_000, timesMs: null})
  })
})
