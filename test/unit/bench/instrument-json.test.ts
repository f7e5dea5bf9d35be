import {expect} from 'chai'
import {instrumentJson} from '../../../src/lib/bench/index.js'
import type {ProcessInstrument, Spread} from '../../../src/lib/bench/instrument.js'

const spread = (p50Ms: number, p99Ms: number, p995Ms: number): Spread => ({
  p50Ms,
  p99Ms,
  p995Ms,
  maxMs: 2 * p995Ms,
})
const NONE: Spread = {p50Ms: null, p99Ms: null, p995Ms: null, maxMs: null}
const one: ProcessInstrument = {
  tokenDelay: spread(0.1, 0.5, 0.75),
  firstTokenDelay: spread(0.2, 1, 1.5),
  lateness: spread(0.01, 0.02, 0.03),
  eventLoopDelay: spread(0.125, 2, 3),
  cpuShare: 0.25,
  cpuMs: 500,
  processorWaitShare: 0.01,
  tokenReads: 1000,
}

describe('what the load processes found out about themselves', () => {
  it('states as error the bound of reads and what waking up takes, of the worst process', () => {
    const other = {...one, firstTokenDelay: spread(0.2, 4, 5), eventLoopDelay: spread(0.1, 0.5, 1)}
    const {ttft_error_p99_ms, gap_error_p99_ms} = instrumentJson([one, other])
    expect([ttft_error_p99_ms, gap_error_p99_ms]).to.deep.equal([4 + 0.5, 0.75 + 2])
  })

  it('adds up counts, and has the worst of shares', () => {
    const busy = {...one, cpuShare: 0.75, cpuMs: 1500}
    expect(instrumentJson([one, busy])).to.deep.include({
      workers: 2,
      token_reads: 2000,
      cpu_us_per_token_read: 1000,
      cpu_share_max: 0.75,
    })
  })

  it('leaves open what nothing was read for, and a share that one process does not know', () => {
    const idle = {...one, tokenDelay: NONE, firstTokenDelay: NONE, tokenReads: 0, processorWaitShare: null}
    expect(instrumentJson([idle])).to.deep.include({
      ttft_error_p99_ms: null,
      gap_error_p99_ms: null,
      cpu_us_per_token_read: null,
    })
    expect(instrumentJson([one, idle]).processor_wait_share_max).to.equal(null)
  })
})
