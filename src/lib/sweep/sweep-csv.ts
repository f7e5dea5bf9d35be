import {csvField} from '../runs/index.js'
import type {SweepFile} from './sweep-file.js'
import {SWEEP_METRICS} from './summary.js'

/**
 * One line a run: the axes, then upstream's columns, then ours. RFC 4180.
 *
 * @see Siryoos/kserve-vllm-mini:grid-sweep.sh — the columns from p50_ms to run_dir
 */
export function sweepCsv({axes, points}: SweepFile): string {
  const names = axes.map(({name}) => name)
  const header = [...names.map(columnOf), ...SWEEP_METRICS, 'run_dir', 'repetition', 'status', 'verdict']
  const lines = points.map(point => [
    ...names.map(name => point.values[name] ?? ''),
    ...SWEEP_METRICS.map(metric => point.metrics?.[metric] ?? ''),
    point.run_dir ?? '',
    point.repetition,
    point.status,
    point.verdict ?? '',
  ])
  return [header, ...lines].map(cells => `${cells.map(csvField).join(',')}\n`).join('')
}

/** `max-tokens` is `max_tokens` in upstream's file. */
function columnOf(axis: string): string {
  return axis.replaceAll('-', '_')
}
