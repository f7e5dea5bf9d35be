import type {ComparisonJson} from '../analysis/index.js'
import {LogHistogram} from '../metrics/index.js'
import {latencyCdfChart} from './charts/latency-cdf.js'
import type {AbsentChart, Chart} from './charts/chart.js'
import {formatCount, formatMs, formatNumber, formatPercent, UNKNOWN} from './format.js'
import {html} from './html.js'
import {chartFigure} from './page/charts-section.js'
import {pageDocument, pageSection, plainTable} from './page/document.js'
import {loadSvgRenderer} from './render-svg.js'
import type {ReportData} from './report-data.js'

const TONES = {PASS: 'good', FAIL: 'bad', INCONCLUSIVE: 'warn'} as const

/** A comparison of runs as one HTML file; several runs of a side are drawn as one distribution. */
export async function renderComparison(
  comparison: ComparisonJson,
  baseline: readonly ReportData[],
  candidate: readonly ReportData[],
): Promise<string> {
  const render = await loadSvgRenderer()
  const {verdict, figures, differences} = comparison
  const charts = [
    await cdf('baseline', 'Latency of the baseline', baseline),
    await cdf('candidate', 'Latency of the candidate', candidate),
  ]
  return pageDocument(
    {
      title: `${nameOf(candidate)} against ${nameOf(baseline)}`,
      kind: 'comparison',
      verdict: {text: verdict, tone: TONES[verdict]},
      lead: leadOf(comparison),
    },
    [
      pageSection(
        'figures',
        'Figures',
        plainTable(
          'Figures',
          [
            ['Figure', 'text'],
            ['Baseline', 'number'],
            ['Candidate', 'number'],
            ['Ratio', 'number'],
            ['95 % interval', 'number'],
            ['Verdict', 'text'],
            ['Why', 'text'],
          ],
          figures.map(one => [
            `${one.metric} ${one.stat}`,
            formatMs(one.baseline),
            formatMs(one.candidate),
            one.ratio === null ? UNKNOWN : one.ratio.toFixed(3),
            one.ci95 === null ? UNKNOWN : `${one.ci95[0].toFixed(3)}–${one.ci95[1].toFixed(3)}`,
            one.verdict,
            one.reason,
          ]),
        ),
      ),
      pageSection(
        'latency',
        'Latency distributions',
        html`<div class="pair">${charts.map(chart => chartFigure(chart, render))}</div>`,
      ),
      pageSection(
        'sides',
        'The runs',
        plainTable(
          'Runs',
          [
            ['Side', 'text'],
            ['Runs', 'text'],
            ['Requests', 'number'],
            ['Errors', 'number'],
            ['req/s', 'number'],
          ],
          (['baseline', 'candidate'] as const).map(name => {
            const {runs, requests, error_rate, throughput_rps} = comparison[name]
            return [
              name,
              runs.join(', '),
              formatCount(requests),
              formatPercent(error_rate),
              formatNumber(throughput_rps),
            ]
          }),
        ),
      ),
      differences.length === 0
        ? null
        : pageSection(
            'differences',
            'Settings that differ',
            plainTable(
              'Settings',
              [['Setting', 'text']],
              differences.map(name => [name]),
            ),
          ),
    ],
  )
}

async function cdf(id: string, title: string, runs: readonly ReportData[]): Promise<Chart | AbsentChart> {
  const name = {id: `latency-${id}`, title}
  const requests = runs.flatMap(run => run.requests)
  if (requests.length === 0)
    return {...name, reason: 'No measured request was recorded, so there is nothing to draw.'}
  const gaps = new LogHistogram()
  for (const {forEachGaps} of runs) {
    await forEachGaps((_, gapsUs) => {
      for (let at = 0; at < gapsUs.length; at++) gaps.add(gapsUs[at]! / 1000)
    })
  }
  return {...latencyCdfChart(requests, gaps), ...name}
}

/** The run, or the first of several and how many there are besides. */
function nameOf([first, ...more]: readonly ReportData[]): string {
  return more.length === 0 ? first!.runId : `${first!.runId} and ${more.length} more`
}

function leadOf({verdict, figures}: ComparisonJson): string {
  const of = (wanted: string): number => figures.filter(one => one.verdict === wanted).length
  const counts = `${of('PASS')} of ${figures.length} figures pass, ${of('FAIL')} fail, ${of('INCONCLUSIVE')} are undecided`
  switch (verdict) {
    case 'PASS':
      return `The candidate is no slower than the baseline within the tolerance: ${counts}.`
    case 'FAIL':
      return `The candidate is slower than the baseline by more than the tolerance and by more than chance: ${counts}.`
    case 'INCONCLUSIVE':
      return `The data cannot tell whether the candidate is slower: ${counts}.`
  }
}
