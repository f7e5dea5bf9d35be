import type {ComparisonJson} from '../lib/analysis/index.js'

/** A comparison for people: one line a figure, then what decided. */
export function comparisonText({figures, verdict, baseline, candidate, differences}: ComparisonJson): string {
  const header = ['', 'baseline', 'candidate', 'change', '95 % interval', '']
  const rows = figures.map(
    ({metric, stat, unit, baseline: before, candidate: after, ratio, ci95, verdict: one, reason}) => [
      `${metric} ${stat}`,
      shown(before, unit),
      shown(after, unit),
      ratio === null ? '' : change(ratio),
      ci95 === null ? '' : `${change(ci95[0])} … ${change(ci95[1])}`,
      `${one}: ${reason}`,
    ],
  )
  const table = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...table.map(row => row[column]!.length)))
  const lines = table.map(row =>
    row
      .map((cell, column) =>
        column === 0 || column === 5 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  )
  const errors = (side: ComparisonJson['baseline']): string =>
    `${side.requests - side.successes} of ${side.requests} requests failed`
  return [
    ...lines,
    '',
    `baseline: ${errors(baseline)}; candidate: ${errors(candidate)}`,
    ...(differences.length === 0 ? [] : [`not the same workload: ${differences.join(', ')}`]),
    `${verdict}${smallestChange(figures)}`,
  ].join('\n')
}

function shown(value: number | null, unit: string): string {
  return value === null ? 'N/A' : `${value.toFixed(2)} ${unit}`
}

function change(ratio: number): string {
  const percent = (ratio - 1) * 100
  return `${percent >= 0 ? '+' : '−'}${Math.abs(percent).toFixed(1)} %`
}

/** What a verdict without a change is worth. */
function smallestChange(figures: ComparisonJson['figures']): string {
  const known = figures.flatMap(({detectable}) => detectable ?? [])
  if (known.length === 0) return ''
  return `: a change of ${(Math.max(...known) * 100).toFixed(1)} % would have shown in every figure`
}
