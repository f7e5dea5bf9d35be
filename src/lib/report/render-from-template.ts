import type {RunResults} from '../runs/index.js'
import type {AbsentChart, Chart} from './charts/chart.js'
import {latencyCdfChart} from './charts/latency-cdf.js'
import {serverCharts} from './charts/server-charts.js'
import {inFlightChart, itlChart, requestRateChart, tokenRateChart, ttftChart} from './charts/time-charts.js'
import {html} from './html.js'
import {chartFigure} from './page/charts-section.js'
import {figureCards} from './page/figures.js'
import {stylesheet} from './page/stylesheet.js'
import {leadSentence} from './render-report.js'
import {loadSvgRenderer} from './render-svg.js'
import type {ReportData} from './report-data.js'
import {renderTemplate} from './template.js'
import {buildTimeline} from './timeline.js'

const BINS = {least: 12, most: 120, requestsInOne: 5}

/**
 * Fills a template with the keys of `results.json`, with `run` (title, lead, tool_version) and with our drawings.
 *
 * @throws ConfigurationError `TEMPLATE_INVALID`
 */
export async function renderFromTemplate(
  template: string,
  source: string,
  data: ReportData,
  results: RunResults,
): Promise<string> {
  const render = await loadSvgRenderer()
  const bins = Math.max(
    BINS.least,
    Math.min(BINS.most, Math.floor(data.requests.length / BINS.requestsInOne)),
  )
  const timeline =
    data.requests.length === 0 ? null : await buildTimeline(data.requests, data.forEachGaps, bins)
  const nothing = html`<p class="absent">No measured request was recorded, so there is nothing to draw.</p>`
    .text
  const draw = (...charts: readonly (Chart | AbsentChart)[]): string =>
    charts.map(chart => chartFigure(chart, render).text).join('')
  const power =
    timeline === null ? [] : serverCharts(data.server, timeline.spanMs).filter(({id}) => id.includes('power'))
  const markup = new Map([
    [
      'charts.style',
      html`<style>
        ${stylesheet()}
      </style>`.text,
    ],
    ['charts.figures', figureCards(data.keyFigures).text],
    ['charts.latency', timeline === null ? nothing : draw(latencyCdfChart(data.requests, timeline.gaps))],
    [
      'charts.ttft',
      timeline === null ? nothing : draw(ttftChart(data.requests, timeline), itlChart(timeline)),
    ],
    [
      'charts.timeline',
      timeline === null
        ? nothing
        : draw(requestRateChart(timeline), tokenRateChart(timeline), inFlightChart(timeline)),
    ],
    ['charts.cost', figureCards(data.otherFigures).text],
    [
      'charts.energy',
      power.length === 0 ? html`<p class="absent">No power was measured.</p>`.text : draw(...power),
    ],
  ])
  const run = {
    title: data.title,
    lead: leadSentence(data),
    tool_version: data.toolVersion,
    status: data.status,
  }
  return renderTemplate(template, source, {values: {...results, run}, markup})
}
