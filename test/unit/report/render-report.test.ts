import {expect} from 'chai'
import {renderReport} from '../../../src/lib/report/index.js'
import {leadSentence} from '../../../src/lib/report/render-report.js'
import {reportFixture} from '../../support/report-fixture.js'

const CHARTS = [
  'latency-cdf',
  'ttft-over-time',
  'itl-over-time',
  'requests-per-second',
  'tokens-per-second',
  'in-flight',
  'kv-use',
  'server-queue',
  'gpu-utilization',
  'gpu-power',
]

const all = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(match => match[1]!)

describe('renderReport', () => {
  let page = ''

  before(async () => {
    page = await renderReport(reportFixture({requests: 200, concurrency: 10, failEvery: 29}))
  })

  it('draws every chart for three widths, each with a title and a description of its own', () => {
    expect(all(page, /<figure class="chart" id="([^"]+)"/g)).to.deep.equal(CHARTS)
    const drawings = all(page, /<svg [^>]*aria-labelledby="([^"]+)"/g)
    expect(drawings).to.deep.equal(
      CHARTS.flatMap(id =>
        ['wide', 'medium', 'narrow'].map(width => `${id}-${width}-title ${id}-${width}-desc`),
      ),
    )
    for (const id of drawings.flatMap(ids => ids.split(' '))) expect(page).to.include(`id="${id}"`)
  })

  it('refers to nothing outside itself and holds no script', () => {
    expect(page).not.to.match(/<script|<link|<img|<iframe|@import|\son\w+=|javascript:/i)
    expect(all(page, /(?:src|href)="([^"]*)"/g).filter(target => !target.startsWith('#'))).to.deep.equal([])
    expect(all(page, /url\(([^)]*)\)/g).filter(target => !target.startsWith('#'))).to.deep.equal([])
  })

  it('has no id twice, and every reference finds its id', () => {
    const ids = all(page, /\sid="([^"]+)"/g)
    expect(ids).to.have.length(new Set(ids).size)
    for (const target of [...all(page, /href="#([^"]+)"/g), ...all(page, /url\(#([^)]+)\)/g)]) {
      expect(ids).to.include(target)
    }
  })

  it('has one h1 and skips no level of heading', () => {
    const levels = all(page, /<h([1-6])\b/g).map(Number)
    expect(levels.filter(level => level === 1)).to.have.length(1)
    levels.forEach((level, at) => expect(level - (levels[at - 1] ?? 0)).to.be.at.most(1))
  })

  it('uses the colours of the page only, so that it follows light and dark', () => {
    const drawings = all(page, /(<svg [\s\S]*?<\/svg>)/g).join('')
    const paints = new Set(all(drawings, /(?:fill|stroke)="([^"]+)"/g))
    for (const paint of paints) expect(paint).to.match(/^(none|#000|var\(--\w+\))$/)
    // #000 only inside clip paths, where colour means nothing.
    expect(drawings.replace(/<clipPath[\s\S]*?<\/clipPath>/g, '')).not.to.include('#000')
  })

  it('says why instead of drawing an empty chart', async () => {
    const bare = await renderReport({
      ...reportFixture({requests: 6, concurrency: 2, failEvery: 1, hasMemory: false}),
      warnings: [],
    })
    const reasons = all(bare, /<p class="absent">([^<]+)<\/p>/g)
    expect(reasons).to.have.length(6)
    expect(reasons[0]).to.match(/^No request of this run succeeded/)
    expect(reasons.at(-2)).to.match(/^No memory was sampled/)
    expect(reasons.at(-1)).to.match(/^The server showed no metrics/)
    expect(bare).not.to.include('Before you trust')
  })

  it('still makes a page of a run in which nothing was measured', async () => {
    const fixture = reportFixture({requests: 1, concurrency: 1})
    const empty = await renderReport({
      ...fixture,
      requests: [],
      forEachGaps: async () => {},
      facts: {...fixture.facts, totalRequests: 0},
    })
    expect(empty).to.include('No request of this run was measured.')
    expect(empty).not.to.include('NaN')
  })

  it('escapes whatever came from outside, wherever it is shown', async () => {
    const hostile = `"><script>alert('x')</script><img src=x onerror=alert(1)>&lt;`
    const text = await renderReport(reportFixture({requests: 20, concurrency: 2, failEvery: 5, hostile}))
    expect(text).not.to.match(/<script|<img/)
    expect(text.split('&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)').length - 1).to.be.at.least(6)
  })

  it('stays far below 1 MB for 100 000 requests and says what was left out of the drawing', async () => {
    const large = await renderReport(reportFixture({requests: 100_000, concurrency: 64}))
    expect(Buffer.byteLength(large)).to.be.below(1_000_000)
    expect(large).to.match(/100\u202f000 requests, drawn as the median and p95/)
    expect(large).to.match(/6\u202f300\u202f000 gaps, drawn as quantiles/)
  })

  it('opens with what happened, in a sentence', () => {
    const data = reportFixture({requests: 200, concurrency: 10, failEvery: 29})
    const facts = {...data.facts, durationMs: 12_345, throughputRps: 15.7, outputTokensPerSecond: null}
    expect(leadSentence({...data, facts}).replace(/\u00a0/g, ' ')).to.equal(
      '194 of 200 requests succeeded in 12.3 s with at most 10 in flight. That is 15.7 requests per second. ' +
        '4 warm-up requests came first and are not counted.',
    )
  })
})
