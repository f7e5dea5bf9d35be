import {expect} from 'chai'
import {
  EngineRatesByUrl,
  ratesOf,
  withReading,
  type EngineCounters,
} from '../../../src/lib/monitor/engine-rates.js'

const reading = (seconds: number, more: Partial<EngineCounters> = {}): EngineCounters => ({
  readAtMs: seconds * 1000,
  ...{promptTokens: 0, generationTokens: 0, firstTokens: 0, firstTokenSeconds: 0},
  ...more,
})
const UNKNOWN = {promptTokensPerSecond: null, generationTokensPerSecond: null, ttftMs: null}

describe('how fast an engine is', () => {
  it('is unknown before its second reading', () => {
    expect(ratesOf([])).to.deep.equal(UNKNOWN)
    expect(ratesOf([reading(1)])).to.deep.equal(UNKNOWN)
  })

  it('is what it counted between its readings, over the time between them', () => {
    const first = reading(10, {
      promptTokens: 1000,
      generationTokens: 50,
      firstTokens: 4,
      firstTokenSeconds: 2,
    })
    const last = reading(14, {
      promptTokens: 3000,
      generationTokens: 250,
      firstTokens: 9,
      firstTokenSeconds: 3,
    })
    expect(ratesOf([first, reading(12), last])).to.deep.equal({
      promptTokensPerSecond: 2000 / 4,
      generationTokensPerSecond: 200 / 4,
      ttftMs: (1 / 5) * 1000,
    })
    expect(ratesOf([reading(1), reading(2)])).to.deep.equal({
      ...{promptTokensPerSecond: 0, generationTokensPerSecond: 0, ttftMs: null},
    })
    expect(ratesOf([reading(1, {promptTokens: null}), last])).to.include({promptTokensPerSecond: null})
  })

  it('is taken from the last seconds, one reading once', () => {
    let readings: readonly EngineCounters[] = []
    for (let second = 0; second < 60; second++) readings = withReading(readings, reading(second))
    expect([readings[0]!.readAtMs, readings.at(-1)!.readAtMs]).to.deep.equal([49_000, 59_000])
    expect(withReading(readings, reading(59))).to.equal(readings)
  })

  it('starts anew with an engine that was started again', () => {
    const before = [reading(1, {promptTokens: 500}), reading(2, {promptTokens: 600})]
    const after = withReading(before, reading(3, {promptTokens: 10}))
    expect(after).to.have.length(1)
    expect(ratesOf(after)).to.deep.equal(UNKNOWN)
  })

  it('is kept by URL, and forgotten with its engine', () => {
    const rates = new EngineRatesByUrl()
    rates.read(new Map([['a', reading(1)]]))
    rates.read(new Map([['a', reading(2, {promptTokens: 7})]]))
    expect(rates.of('a')).to.include({promptTokensPerSecond: 7})
    expect(rates.of('b')).to.deep.equal(UNKNOWN)
    rates.read(new Map())
    expect(rates.of('a')).to.deep.equal(UNKNOWN)
  })
})
