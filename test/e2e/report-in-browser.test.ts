import {writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {pathToFileURL} from 'node:url'
import {expect} from 'chai'
import type {Browser, Page} from 'playwright-core'
import {renderReport} from '../../src/lib/report/index.js'
import {CHROMIUM, launchChromium} from '../support/chromium.js'
import {reportFixture, type FixtureOptions} from '../support/report-fixture.js'
import {describeWith} from '../support/requires.js'
import {temporaryFolder} from '../support/temporary.js'

/** What stands in one chart as the browser laid it out. */
interface ChartLook {
  readonly id: string
  /** Marks of coloured series (no axes, no grid): pieces of lines and dots. */
  readonly marks: number
  readonly labels: number
  readonly width: number
  readonly height: number
}

/** Run in the page (as text: the DOM's types would reach into every other test): what a viewer sees of each chart. */
const CHART_LOOKS = `
  [...document.querySelectorAll('figure.chart')].map(figure => {
    const svg = [...figure.querySelectorAll('svg')].find(drawing => drawing.getBoundingClientRect().width > 0)
    const marks = [...(svg?.querySelectorAll('path') ?? [])]
      .filter(path => /--(first|second|third|bad)/.test(path.getAttribute('stroke') ?? path.getAttribute('fill')))
      .reduce((sum, path) => sum + path.getAttribute('d').match(/[MLCA]/g).length, 0)
    const {width, height} = svg?.getBoundingClientRect() ?? {width: 0, height: 0}
    return {id: figure.id, marks, labels: svg?.querySelectorAll('text').length ?? 0, width, height}
  })`
const SHOWN_DRAWINGS = `[...document.querySelectorAll('.plot')].filter(plot => plot.getClientRects().length > 0).length`

describeWith([CHROMIUM], 'a report in Chromium', () => {
  const folder = temporaryFolder()
  let browser: Browser
  let complaints: string[] = []

  before(async () => {
    browser = await launchChromium()
  })
  after(async () => {
    await browser.close()
  })
  afterEach(() => {
    expect(complaints, 'console messages, page errors and requests').to.deep.equal([])
    complaints = []
  })

  async function open(run: FixtureOptions, width: number, colorScheme: 'light' | 'dark'): Promise<Page> {
    const file = join(folder(), 'report.html')
    writeFileSync(file, await renderReport(reportFixture(run)))
    const page = await browser.newPage({viewport: {width, height: 900}, colorScheme})
    const url = pathToFileURL(file).href
    page.on('console', message => complaints.push(message.text()))
    page.on('pageerror', error => complaints.push(error.message))
    page.on('request', request => {
      if (request.url() !== url) complaints.push(request.url())
    })
    await page.goto(url)
    return page
  }

  for (const [width, colorScheme] of [
    [300, 'light'],
    [760, 'dark'],
    [1400, 'light'],
  ] as const) {
    it(`shows every chart with its marks at ${width} px, ${colorScheme}, and nothing wider than the window`, async () => {
      const page = await open({requests: 200, concurrency: 10, failEvery: 29}, width, colorScheme)
      const charts = await page.evaluate<ChartLook[]>(CHART_LOOKS)
      expect(charts.map(({id}) => id)).to.deep.equal([
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
      ])
      for (const chart of charts) {
        expect(chart.marks, `marks of ${chart.id}`).to.be.at.least(20)
        expect(chart.labels, `labels of ${chart.id}`).to.be.at.least(5)
        expect(chart.width, `width of ${chart.id}`).to.be.within(250, width)
        expect(chart.height, `height of ${chart.id}`).to.be.at.least(120)
      }
      const shown = await page.evaluate<number>(SHOWN_DRAWINGS)
      expect(shown, 'one drawing a chart').to.equal(charts.length)
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).to.equal(width)
      await page.close()
    })
  }

  it('draws one dot a request while they can be told apart', async () => {
    const page = await open({requests: 150, concurrency: 10}, 1280, 'light')
    const dots = await page.evaluate<number[]>(`
      [...document.querySelectorAll('#ttft-over-time .wide path[fill-opacity]')].map(
        path => path.getAttribute('d').match(/M/g).length,
      )`)
    expect(dots).to.deep.equal([150])
    await page.close()
  })

  it('follows light and dark in page and charts alike', async () => {
    const colours = async (colorScheme: 'light' | 'dark'): Promise<string[]> => {
      const page = await open({requests: 40, concurrency: 4}, 1280, colorScheme)
      const found = await page.evaluate<string[]>(`[
        getComputedStyle(document.body).backgroundColor,
        getComputedStyle(document.querySelector('#in-flight .wide text')).fill,
      ]`)
      await page.close()
      return found
    }
    expect(await colours('light')).to.deep.equal(['rgb(251, 251, 249)', 'rgb(87, 95, 104)'])
    expect(await colours('dark')).to.deep.equal(['rgb(17, 20, 23)', 'rgb(163, 172, 182)'])
  })

  it('prints dark pages light, with every chart whole, and the raw figures only when they are open', async () => {
    const page = await open({requests: 200, concurrency: 10}, 1280, 'dark')
    await page.emulateMedia({media: 'print'})
    await page.setViewportSize({width: 688, height: 1000})
    const printed = await page.evaluate<unknown>(`({
      ground: getComputedStyle(document.body).backgroundColor,
      charts: ${SHOWN_DRAWINGS},
      breaks: [...new Set([...document.querySelectorAll('.chart')].map(chart => getComputedStyle(chart).breakInside))],
      navigation: document.querySelector('nav').getClientRects().length,
    })`)
    expect(printed).to.deep.equal({
      ground: 'rgb(255, 255, 255)',
      charts: 10,
      breaks: ['avoid'],
      navigation: 0,
    })
    const pdf = await page.pdf({preferCSSPageSize: true})
    const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b/g)!.length
    expect(pages).to.be.within(3, 6)
    expect(await page.locator('#raw').isVisible()).to.equal(false)
    await page.evaluate(`document.querySelector('details').open = true`)
    expect(await page.locator('#raw').isVisible()).to.equal(true)
    await page.close()
  })

  it('shows hostile names as text and runs none of it', async () => {
    const hostile = `<script>window.hacked = 1</script><img src="https://example.invalid/x" onerror="window.hacked = 2">`
    const page = await open({requests: 20, concurrency: 2, failEvery: 5, hostile}, 1280, 'light')
    expect(await page.locator('h1').textContent()).to.equal(hostile)
    expect(await page.evaluate<boolean>(`'hacked' in window`)).to.equal(false)
    expect(await page.locator('script, img').count()).to.equal(0)
    await page.close()
  })
})
