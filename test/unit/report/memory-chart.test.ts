import {expect} from 'chai'
import {FRAMES, type Chart} from '../../../src/lib/report/charts/chart.js'
import {memoryChart} from '../../../src/lib/report/charts/memory-chart.js'
import type {MemorySample} from '../../../src/lib/report/index.js'

const MIB = 1024 ** 2
const look = (atMs: number, usedMib: number, limitMib: number): MemorySample => ({
  atMs,
  usedBytes: usedMib * MIB,
  preallocatedBytes: 4 * MIB,
  limitBytes: limitMib * MIB,
  kvCacheUsage: 0.1,
})
const plain = (text: string | null): string => (text ?? '').replace(/[\u00a0\u202f]/g, ' ')

describe('memoryChart', () => {
  const draw = (samples: readonly MemorySample[]): Chart => {
    const chart = memoryChart(samples, 10_000)
    if ('reason' in chart) throw new Error(chart.reason)
    return chart
  }

  it('tells a changed limit and that it was obeyed', () => {
    const chart = draw([look(0, 40, 64), look(5000, 20, 24), look(9000, 18, 24)])
    expect(plain(chart.reading)).to.equal(
      'At most 40 MB in use and 44 MB held with what was preallocated; limit changed during the run: 64 MB → 24 MB.',
    )
    expect(plain(chart.note)).to.equal(
      '3 looks at the segment; used + preallocated was within the limit at every look.',
    )
  })

  it('counts the looks at which more was held than allowed', () => {
    const chart = draw([look(0, 40, 64), look(5000, 40, 24), look(5200, 20, 24)])
    expect(plain(chart.note)).to.include('used + preallocated was above the limit at 1 of 3 looks')
  })

  it('does not let a limit far above all use flatten the use', () => {
    const chart = draw([look(0, 12, 256), look(5000, 12, 16)])
    expect(plain(chart.note)).to.include('a limit of 256 MB lies above the chart')
    const {yAxis} = chart.draw(FRAMES[0]!) as {yAxis: {max: number}}
    expect(yAxis.max).to.equal(16 * MIB)
  })

  it('begins with the last look before the first request and leaves later ones out', () => {
    const chart = draw([look(-900, 2, 64), look(-100, 4, 64), look(800, 8, 64), look(10_500, 1, 64)])
    expect(plain(chart.note)).to.match(/^2 looks/)
    expect(plain(chart.description)).to.match(/first 4 MB, highest 8 MB, last 8 MB/)
  })

  it('thins a long series without losing its peak or a change of the limit', () => {
    const samples = Array.from({length: 5000}, (_, at) =>
      look(2 * at, at === 3333 ? 60 : 8, at === 1234 ? 50 : 64),
    )
    const chart = draw(samples)
    expect(plain(chart.note)).to.match(/^5 000 looks at the segment, 38\d drawn/)
    const {series} = chart.draw(FRAMES[0]!) as {series: {data: [number, number][]}[]}
    const highest = (at: number): number => Math.max(...series[at]!.data.map(([, y]) => y))
    expect(highest(0)).to.equal(60 * MIB)
    expect(Math.min(...series[2]!.data.map(([, y]) => y))).to.equal(50 * MIB)
  })

  it("falls back on the engine's own gauge, and says so when there is neither", () => {
    const gauge = {usedBytes: null, preallocatedBytes: null, limitBytes: null, kvCacheUsage: 0.25}
    expect(plain(draw([{...gauge, atMs: 0}]).reading)).to.equal(
      "At most 25 % of the engine's KV blocks in use.",
    )
    expect(memoryChart([], 1000))
      .to.have.property('reason')
      .that.matches(/^No memory was sampled/)
  })
})
