import {csvField, type RunResults} from '../runs/index.js'
import {GROUP_COLUMNS, groupCells} from './group-rows.js'
import type {ReportData} from './report-data.js'
import {leadSentence} from './render-report.js'

/** A report as Markdown: what a pull request or a wiki shows. */
export function renderMarkdown(data: ReportData, results: RunResults): string {
  const figures = [...data.keyFigures, ...data.otherFigures]
  const rules = results.validation?.rules ?? []
  return [
    `# ${inline(data.title)}`,
    '',
    `Run ${inline(data.runId)}, ${inline(data.status)}${data.startedAt === null ? '' : `, ${inline(data.startedAt)}`}.`,
    '',
    leadSentence(data),
    '',
    ...data.warnings.map(({code, message}) => `> **${inline(code)}** ${inline(message)}\n`),
    ...table(
      ['Figure', 'Value', 'Note'],
      figures.map(one => [
        one.label,
        one.value === null ? 'not measured' : `${one.value} ${one.unit}`.trim(),
        one.detail,
      ]),
    ),
    '',
    ...(rules.length === 0
      ? []
      : [
          `## Verdict: ${results.validation!.passed ? 'PASS' : 'FAIL'}`,
          '',
          ...table(
            ['Rule', 'Limit', 'Measured', 'Verdict'],
            rules.map(one => [
              one.rule,
              String(one.limit),
              one.value === null ? 'N/A' : String(one.value),
              one.passed ? 'PASS' : 'FAIL',
            ]),
          ),
          '',
        ]),
    '## Distributions',
    '',
    ...table(
      ['Metric', 'Unit', 'Samples', 'Mean', 'p50', 'p90', 'p95', 'p99', 'Largest'],
      data.metrics.map(one => [
        one.name,
        one.unit,
        String(one.count),
        ...[one.mean, one.p50, one.p90, one.p95, one.p99, one.max].map(value =>
          value === null ? 'N/A' : String(Number(value.toPrecision(6))),
        ),
      ]),
    ),
    '',
    ...(data.groups.length === 0
      ? []
      : [
          '## Parts of the run',
          '',
          ...table(
            ['Part', ...GROUP_COLUMNS],
            data.groups.map(one => [`${one.kind} ${one.name}`, ...groupCells(one)]),
          ),
          '',
        ]),
    ...(data.failures.length === 0
      ? []
      : [
          '## Failures',
          '',
          ...table(
            ['Kind', 'Requests', 'Example'],
            data.failures.map(one => [one.type, String(one.count), one.example]),
          ),
          '',
        ]),
  ].join('\n')
}

/** Every figure, one a line: `name,unit,statistic,value`. RFC 4180; unknown is empty. */
export function renderCsv(results: RunResults): string {
  const lines: (string | number | null)[][] = [['name', 'unit', 'statistic', 'value']]
  for (const [key, value] of Object.entries(results)) {
    if (typeof value === 'number' || value === null) lines.push([key, '', 'value', value])
  }
  for (const [name, metric] of Object.entries(results.metrics)) {
    for (const [statistic, value] of Object.entries(metric)) {
      if (typeof value === 'number' || value === null) lines.push([name, metric.unit, statistic, value])
    }
  }
  return lines.map(cells => `${cells.map(csvField).join(',')}\n`).join('')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map(inline).join(' | ')} |`
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)]
}

/** Text from outside cannot make markup, nor end a cell. */
function inline(text: string): string {
  return text
    .replaceAll(/[\r\n]+/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/[\\`*_[\]|]/g, character => `\\${character}`)
}
