import type {PointSummary, SweepFile} from '../sweep/index.js'
import {throughputLatencyChart, type SweepDot} from './charts/sweep-charts.js'
import {formatMs, formatNumber, formatPercent, UNKNOWN} from './format.js'
import {chartFigure} from './page/charts-section.js'
import {pageDocument, pageSection, plainTable} from './page/document.js'
import {loadSvgRenderer} from './render-svg.js'

type Figures = PointSummary['metrics']

/** A sweep or a search as one HTML file. */
export async function renderSweep(sweep: SweepFile, summary: readonly PointSummary[]): Promise<string> {
  const render = await loadSvgRenderer()
  const {axes, points, knee} = sweep
  const failed = points.filter(({status}) => status === 'failed')
  const named = (values: PointSummary['values']): string =>
    axes.map(({name}) => `${name} ${values[name] ?? ''}`).join(', ')
  const missed = new Set(
    points.filter(({verdict}) => verdict === 'FAIL' || verdict === 'UNSURE').map(({values}) => named(values)),
  )
  const dots = summary.map(({values, metrics}): SweepDot => ({
    name: named(values),
    throughputRps: metrics['throughput_rps']!.mean,
    p95Ms: metrics['p95_ms']!.mean,
    ttftP95Ms: metrics['ttft_p95_ms']!.mean,
    isGood: !missed.has(named(values)),
  }))
  return pageDocument(
    {
      title: sweep.sweep_id,
      kind: knee === null ? 'sweep' : 'search',
      verdict: verdictOf(sweep),
      lead: leadOf(sweep, summary),
    },
    [
      pageSection(
        'picture',
        'How latency grows with load',
        chartFigure(throughputLatencyChart(dots, axes.length === 1), render),
      ),
      pageSection('combinations', 'Every combination', combinationsTable(axes, summary)),
      knee === null || knee.limiting.length === 0
        ? null
        : pageSection(
            'limits',
            'What limits it',
            plainTable(
              'Goals missed',
              [['Goal', 'text']],
              knee.limiting.map(goal => [goal]),
            ),
          ),
      pageSection(
        'runs',
        'Every run',
        plainTable(
          'Runs',
          [
            ['Run', 'text'],
            ...axes.map(({name}) => [name, 'text'] as const),
            ['Status', 'text'],
            ['Verdict', 'text'],
            ['req/s', 'number'],
            ['p95', 'number'],
          ],
          points.map(one => [
            one.run_dir ?? String(one.index),
            ...axes.map(({name}) => one.values[name] ?? ''),
            one.error === null ? one.status : `failed: ${one.error.message}`,
            one.verdict ?? UNKNOWN,
            formatNumber(one.metrics?.['throughput_rps'] ?? null),
            formatMs(one.metrics?.['p95_ms'] ?? null),
          ]),
        ),
      ),
      failed.length === 0
        ? null
        : pageSection(
            'failures',
            'Failures',
            plainTable(
              'Failures',
              [
                ['Run', 'text'],
                ['Why', 'text'],
              ],
              failed.map(one => [one.run_dir ?? String(one.index), one.error?.message ?? '']),
            ),
          ),
    ],
  )
}

function combinationsTable(
  axes: SweepFile['axes'],
  summary: readonly PointSummary[],
): ReturnType<typeof plainTable> {
  const spread = (figures: Figures, name: string, show: (value: number | null) => string): string => {
    const {mean, ci_low, ci_high} = figures[name]!
    return ci_low === null || ci_high === null
      ? show(mean)
      : `${show(mean)} (${show(ci_low)}–${show(ci_high)})`
  }
  return plainTable(
    'Combinations',
    [
      ...axes.map(({name}) => [name, 'text'] as const),
      ...(['Runs', 'req/s', 'tok/s', 'TTFT p50', 'TTFT p95', 'Latency p95', 'Errors'] as const).map(
        name => [name, 'number'] as const,
      ),
    ],
    summary.map(({values, runs, failed, metrics}) => [
      ...axes.map(({name}) => values[name] ?? ''),
      failed === 0 ? String(runs) : `${runs}, ${failed} failed`,
      spread(metrics, 'throughput_rps', formatNumber),
      spread(metrics, 'tokens_per_sec', formatNumber),
      spread(metrics, 'ttft_p50_ms', formatMs),
      spread(metrics, 'ttft_p95_ms', formatMs),
      spread(metrics, 'p95_ms', formatMs),
      formatPercent(metrics['error_rate']!.mean),
    ]),
  )
}

function verdictOf({knee, ended_at}: SweepFile): Parameters<typeof pageDocument>[0]['verdict'] {
  if (ended_at === null) return {text: 'unfinished', tone: 'warn'}
  if (knee === null) return {text: 'complete', tone: 'good'}
  return knee.best === null ? {text: 'no value keeps the goals', tone: 'bad'} : {text: 'found', tone: 'good'}
}

function leadOf({axes, points, knee, repeat}: SweepFile, summary: readonly PointSummary[]): string {
  if (knee?.best != null) {
    const above =
      knee.failing === null ? 'nothing higher was tried' : `${formatNumber(knee.failing)} does not`
    return `The highest ${knee.axis} that keeps the goals is ${formatNumber(knee.best)}; ${above}. ${points.length} runs were made.`
  }
  if (knee !== null)
    return `No value of ${knee.axis} that was tried keeps the goals. ${points.length} runs were made.`
  const times = repeat === 1 ? '' : `, each ${repeat} times`
  return `${summary.length} combinations of ${axes.map(({name}) => name).join(' and ')}${times}.`
}
