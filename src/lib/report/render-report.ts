import type {AbsentChart, Chart} from './charts/chart.js'
import {latencyCdfChart} from './charts/latency-cdf.js'
import {memoryChart} from './charts/memory-chart.js'
import {serverCharts} from './charts/server-charts.js'
import {inFlightChart, itlChart, requestRateChart, tokenRateChart, ttftChart} from './charts/time-charts.js'
import {formatCount, formatMs, formatNumber} from './format.js'
import {html, type Markup} from './html.js'
import {chartFigure} from './page/charts-section.js'
import {definitionList} from './page/definitions.js'
import {htmlFile, pageSection} from './page/document.js'
import {figureCards} from './page/figures.js'
import {failuresTable, groupsTable, metricsTable, pairsTable, warningList} from './page/tables.js'
import {loadSvgRenderer} from './render-svg.js'
import type {ReportData} from './report-data.js'
import {buildTimeline, type Timeline} from './timeline.js'

/** So many intervals that each holds a few requests, and no more than a chart can show. */
function mostBins(requests: number): number {
  return Math.max(12, Math.min(120, Math.floor(requests / 5)))
}

/**
 * One HTML file that needs nothing else: no network (its own policy forbids it), no script, light, dark and printable.
 *
 * @returns the whole document
 */
export async function renderReport(data: ReportData): Promise<string> {
  const render = await loadSvgRenderer()
  const timeline =
    data.requests.length === 0
      ? null
      : await buildTimeline(data.requests, data.forEachGaps, mostBins(data.requests.length))
  const figure = (chart: Chart | AbsentChart): Markup => chartFigure(chart, render)
  return htmlFile(
    `${data.title} · ${data.runId} · kvctl report`,
    data.toolVersion,
    html`${masthead(data)}
      <main>
        ${data.warnings.length === 0 ? null : pageSection('warnings', 'Before you trust the figures', warningList(data.warnings))}
        ${pageSection('summary', 'Summary', figureCards(data.keyFigures))}
        ${pageSection(
          'latency',
          'Latency',
          timeline === null ? nothingMeasured() : figure(latencyCdfChart(data.requests, timeline.gaps)),
          data.metrics.length === 0 ? null : metricsTable(data.metrics),
        )}
        ${pageSection('time', 'Over time', timeline === null ? nothingMeasured() : html`<div class="pair">${timeFigures(data, timeline).map(figure)}</div>`, data.measures.length === 0 ? null : pairsTable('Rates and concurrency', data.measures, 'pairs'), data.serverFigures.length === 0 ? null : pairsTable('What the server counted', data.serverFigures, 'pairs'))}
        ${data.groups.length === 0 ? null : pageSection('parts', 'Parts of the run', groupsTable(data.groups))}
        ${pageSection('failures', 'Failures', failuresTable(data.failures))}
        ${pageSection('cost', 'Cost, energy and resources', figureCards(data.otherFigures))}
        ${pageSection('setup', 'What was run', html`<div class="columns">${pairsTable('Configuration', data.configuration, 'pairs')}${pairsTable('Environment', data.environment, 'pairs')}</div>`)}
        ${pageSection('definitions', 'How each number is defined', definitionList())}
        ${pageSection(
          'raw',
          'Raw figures',
          html`<p class="intro">Every figure of <code>results.json</code>, unrounded.</p>
            <details>
              <summary>Show all ${formatCount(data.rawKeys.length)}</summary>
              ${pairsTable('results.json', data.rawKeys, 'raw')}
            </details>`,
        )}
      </main>
      <footer>
        <p>
          Written by kvctl ${data.toolVersion} from run <code>${data.runId}</code>. This file is complete in
          itself: it loads nothing and runs no script.
        </p>
      </footer>`,
  )
}

function masthead(data: ReportData): Markup {
  const tone = {complete: 'good', failed: 'bad'}[data.status] ?? 'warn'
  const links: readonly (readonly [string, string])[] = [
    ...(data.warnings.length === 0 ? [] : [['warnings', 'Warnings'] as const]),
    ['summary', 'Summary'],
    ['latency', 'Latency'],
    ['time', 'Over time'],
    ...(data.groups.length === 0 ? [] : [['parts', 'Parts of the run'] as const]),
    ['failures', 'Failures'],
    ['cost', 'Cost and energy'],
    ['setup', 'What was run'],
    ['definitions', 'Definitions'],
    ['raw', 'Raw figures'],
  ]
  return html`<header class="masthead">
    <p class="eyebrow">
      <span>kvctl benchmark report</span><span class="status ${tone}">${data.status}</span
      ><span>run ${data.runId}</span
      >${data.startedAt === null ? null : html`<time datetime="${data.startedAt}">${data.startedAt.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC')}</time>`}
    </p>
    <h1>${data.title}</h1>
    <p class="lead">${leadSentence(data)}</p>
    <nav aria-label="Sections">
      <ul>
        ${links.map(([id, name]) => html`<li><a href="#${id}">${name}</a></li>`)}
      </ul>
    </nav>
  </header>`
}

/** The run in a sentence or two. */
export function leadSentence({facts}: ReportData): string {
  if (facts.totalRequests === 0) return 'No request of this run was measured.'
  const all = facts.successfulRequests === facts.totalRequests
  const requests = facts.totalRequests === 1 ? 'request' : 'requests'
  const succeeded = all
    ? `${facts.totalRequests === 1 ? 'The only' : `All ${formatCount(facts.totalRequests)}`} ${requests} succeeded`
    : `${formatCount(facts.successfulRequests)} of ${formatCount(facts.totalRequests)} ${requests} succeeded`
  const during = facts.durationMs === null ? '' : ` in ${formatMs(facts.durationMs)}`
  const at = facts.concurrency === null ? '' : ` with at most ${formatCount(facts.concurrency)} in flight`
  const rate =
    facts.throughputRps === null
      ? ''
      : ` That is ${formatNumber(facts.throughputRps)} requests per second${facts.outputTokensPerSecond === null ? '' : ` and ${formatNumber(facts.outputTokensPerSecond)} output tokens per second`}.`
  const warmup =
    facts.warmupRequests === 0
      ? ''
      : ` ${formatCount(facts.warmupRequests)} warm-up ${facts.warmupRequests === 1 ? 'request came' : 'requests came'} first and ${facts.warmupRequests === 1 ? 'is' : 'are'} not counted.`
  return `${succeeded}${during}${at}.${rate}${warmup}`
}

function timeFigures(data: ReportData, timeline: Timeline): readonly (Chart | AbsentChart)[] {
  return [
    ttftChart(data.requests, timeline),
    itlChart(timeline),
    requestRateChart(timeline),
    tokenRateChart(timeline),
    inFlightChart(timeline),
    memoryChart(data.memory, timeline.spanMs),
    ...serverCharts(data.server, timeline.spanMs),
  ]
}

function nothingMeasured(): Markup {
  return html`<p class="absent">No measured request was recorded, so there is nothing to draw.</p>`
}
