import {expect} from 'chai'
import * as fc from 'fast-check'
import {ConfigurationError, ResourceError} from '../../../src/lib/foundation/index.js'
import {planLimit, type LimitOutcome, type SegmentRecord} from '../../../src/lib/segments/index.js'
import {GIB, MIB} from '../../support/segments.js'

/** A segment with an 8 GiB limit that holds 5 + 1 GiB, unless said otherwise. */
const record = (figures: Partial<SegmentRecord> = {}): SegmentRecord => ({
  limitBytes: 8n * GIB,
  usedBytes: 5n * GIB,
  preallocBytes: GIB,
  ...figures,
})
const plan = (
  limitBytes: bigint | null,
  isForced = false,
  now = record(),
  startup: bigint | null = 8n * GIB,
) => planLimit('vllm', now, startup, {limitBytes, isForced})
const refusalOf = (action: () => unknown): ConfigurationError | ResourceError => {
  try {
    action()
  } catch (error) {
    if (error instanceof ConfigurationError || error instanceof ResourceError) return error
    throw error
  }
  throw new Error('was not refused')
}

describe('planning a limit', () => {
  const outcomes: [string, bigint, SegmentRecord, LimitOutcome][] = [
    ['a shrink above what is held', 7n * GIB, record(), 'applied'],
    ['a shrink to exactly what is held (5 + 1 GiB)', 6n * GIB, record(), 'applied'],
    ['a shrink one byte below what is held', 6n * GIB - 1n, record(), 'pending'],
    ['a shrink of an empty pool', MIB, record({usedBytes: 0n, preallocBytes: 0n}), 'applied'],
    ['the same limit again', 8n * GIB, record(), 'applied'],
    ['a raise below the start-up total', 4n * GIB, record({limitBytes: 2n * GIB}), 'written'],
    ['a return to exactly the start-up total (T1)', 8n * GIB, record({limitBytes: 2n * GIB}), 'ignored'],
    ['the start-up total after a restore', 8n * GIB, record({limitBytes: 8n * GIB + 4096n}), 'applied'],
  ]
  for (const [what, limitBytes, now, outcome] of outcomes) {
    it(`says that ${what} is ${outcome}`, () => {
      expect(plan(limitBytes, false, now)).to.include({limitBytes, outcome})
    })
  }

  it('explains why an exact start-up total is ignored, and what to do instead', () => {
    expect(plan(8n * GIB, false, record({limitBytes: GIB})).explanation).to.contain('--restore')
  })

  it('restores the start-up total plus 4096 bytes, which old and new engines take for the full pool (T1)', () => {
    const now = record({limitBytes: 2n * GIB})
    expect(plan(null, false, now)).to.include({limitBytes: 8n * GIB + 4096n, outcome: 'written'})
    const [layers, buffers, pageBytes] = [80n, 2n, 2n * MIB]
    const pages = (total: bigint): bigint => total / layers / buffers / pageBytes
    const startup = 160n * 2n * MIB * 100n
    expect(pages(plan(null, false, now, startup).limitBytes)).to.equal(pages(startup))
  })

  it('restores nothing that was never seen', () => {
    expect(refusalOf(() => plan(null, true, record(), null))).to.include({
      code: 'STARTUP_UNKNOWN',
      exitCode: 4,
    })
  })

  for (const limitBytes of [0n, -GIB, 1n, 4095n]) {
    it(`refuses ${limitBytes} bytes, which an engine ignores (T2), and names one page bundle instead`, () => {
      const now = record({usedBytes: 6n * 128n * MIB, preallocBytes: 5n * 128n * MIB})
      const refusal = refusalOf(() => plan(limitBytes, false, now))
      expect(refusal).to.include({code: 'LIMIT_TOO_SMALL', exitCode: 2})
      expect(refusal.message).to.contain('keeps its previous one')
      expect(refusal.suggestions[0]).to.contain(`kvctl limit vllm ${128n * MIB}`)
      expect(plan(limitBytes, true).outcome, 'forced').to.equal('ignored')
    })
  }

  it('names the smallest page when the segment does not show one', () => {
    const refusal = refusalOf(() => plan(0n, false, record({usedBytes: 0n, preallocBytes: 0n})))
    expect(refusal.suggestions[0]).to.contain(`kvctl limit vllm ${2n * MIB}`)
  })

  it('refuses anything above the start-up total (T3, T4, T5), and names both figures', () => {
    const refusal = refusalOf(() => plan(8n * GIB + 1n))
    expect(refusal).to.include({code: 'LIMIT_ABOVE_STARTUP', exitCode: 2})
    expect(refusal.message).to.contain('8589934593').and.contain('8589934592')
    expect(plan(8n * GIB + 1n, true)).to.include({limitBytes: 8n * GIB + 1n, outcome: 'written'})
  })

  it('has no upper bound to hold against a segment whose start-up total is unknown', () => {
    const now = record({limitBytes: 0n})
    expect(plan(64n * GIB, false, now, null)).to.include({limitBytes: 64n * GIB, outcome: 'written'})
  })

  it('never plans a limit that it should have refused', () => {
    const bytes = fc.bigInt({min: -(2n ** 40n), max: 2n ** 40n})
    fc.assert(
      fc.property(bytes, fc.bigInt({min: 4096n, max: 2n ** 40n}), bytes, (asked, startup, limitBytes) => {
        const isRefused = asked < 4096n || asked > startup
        const run = (): unknown => plan(asked, false, record({limitBytes}), startup)
        if (isRefused) expect(run).to.throw(ConfigurationError)
        else expect(run()).to.have.property('limitBytes', asked)
      }),
    )
  })
})
