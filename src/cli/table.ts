import {formatSize} from '../lib/foundation/index.js'
import {usedPercent, type SegmentLook} from '../lib/segments/index.js'

const HEADER = row('IPC', 'Limit', 'Used', '%'.padStart(6))
const BOLD_CYAN = '\u001B[1m\u001B[36m'
const RESET = '\u001B[0m'

/**
 * kvcached's table, character for character: name left in 24 and never cut, sizes right in 12, percent in 5 and ` %`.
 *
 * @param missing names without a segment, shown as N/A below the others
 * @param hasColor header bold cyan; rows green below 50 %, yellow below 80 %, else red
 * @returns lines without a trailing newline
 * @see ovg-project/kvcached:kvcached/cli/kvctl.py — list
 */
export function segmentTable(
  looks: readonly SegmentLook[],
  missing: readonly string[],
  hasColor: boolean,
): string {
  const paint = (color: string, line: string): string => (hasColor ? `${color}${line}${RESET}` : line)
  const rows = looks.map(({name, record}) => {
    const percent = usedPercent(record)
    const shown = `${percent.toFixed(1).padStart(5)} %`
    return paint(
      colorOf(percent),
      row(name, formatSize(record.limitBytes), formatSize(record.usedBytes), shown),
    )
  })
  const absent = missing.map(name => row(name, 'N/A', 'N/A', 'N/A'.padStart(7)))
  return [paint(BOLD_CYAN, HEADER), ...rows, ...absent].join('\n')
}

/** Colour only on a terminal, and never where `NO_COLOR` is set, be it to nothing. */
export function canColor(stream: {readonly isTTY?: boolean}, environment: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && environment['NO_COLOR'] === undefined
}

function row(name: string, limit: string, used: string, percent: string): string {
  return [name.padEnd(24), limit.padStart(12), used.padStart(12), percent].join(' ')
}

function colorOf(percent: number): string {
  if (percent < 50) return '\u001B[32m'
  return percent < 80 ? '\u001B[33m' : '\u001B[31m'
}
