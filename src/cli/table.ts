import {formatSize} from '../lib/foundation/index.js'
import {usedPercent, type OwnedLook} from '../lib/segments/index.js'

/** How a segment table is drawn. */
export interface TableStyle {
  /** Header bold cyan; rows green below 50 %, yellow below 80 %, else red. */
  readonly hasColor: boolean
  /** Whether preallocated memory, state and owner follow to the right of kvcached's columns. */
  readonly isWide: boolean
  /** Where owners are cut; null leaves them whole. */
  readonly columns: number | null
}

const HEADER = row('IPC', 'Limit', 'Used', '%'.padStart(6))
const BOLD_CYAN = '\u001B[1m\u001B[36m'
const RESET = '\u001B[0m'
const ROOM_FOR_WIDE = 100

/**
 * kvcached's table, character for character: name left in 24 and never cut, sizes right in 12, percent in 5 and ` %`.
 *
 * @param missing names without a segment, shown as N/A below the others
 * @returns lines without a trailing newline
 * @see ovg-project/kvcached:kvcached/cli/kvctl.py — list
 */
export function segmentTable(
  looks: readonly OwnedLook[],
  missing: readonly string[],
  {hasColor, isWide, columns}: TableStyle,
): string {
  const paint = (color: string, line: string): string => (hasColor ? `${color}${line}${RESET}` : line)
  const cut = (line: string): string => line.slice(0, columns ?? undefined).trimEnd()
  const header = isWide ? cut(`${HEADER}  ${more('Prealloc', 'State', 'Owner')}`) : HEADER
  const rows = looks.map(({name, record, state}) => {
    const percent = usedPercent(record)
    const shown = `${percent.toFixed(1).padStart(5)} %`
    const theirs = row(name, formatSize(record.limitBytes), formatSize(record.usedBytes), shown)
    const ours = more(formatSize(record.preallocBytes), state.verdict, ownerOf(state))
    return paint(colorOf(percent), isWide ? cut(`${theirs} ${ours}`) : theirs)
  })
  const absent = missing.map(name => row(name, 'N/A', 'N/A', 'N/A'.padStart(7)))
  return [paint(BOLD_CYAN, header), ...rows, ...absent].join('\n')
}

/**
 * @param wide what the user asked for; without that a terminal with room for it is wide, and anything else gets the table
 * that kvcached's users already parse
 */
export function tableStyle(
  stream: {readonly isTTY?: boolean; readonly columns?: number},
  environment: NodeJS.ProcessEnv,
  wide: boolean | undefined,
): TableStyle {
  const columns = stream.isTTY === true && stream.columns !== undefined ? stream.columns : null
  const isWide = wide ?? (columns !== null && columns >= ROOM_FOR_WIDE)
  return {hasColor: canColor(stream, environment), isWide, columns}
}

/** Colour only on a terminal, and never where `NO_COLOR` is set, be it to nothing. */
export function canColor(stream: {readonly isTTY?: boolean}, environment: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && environment['NO_COLOR'] === undefined
}

function row(name: string, limit: string, used: string, percent: string): string {
  return [name.padEnd(24), limit.padStart(12), used.padStart(12), percent].join(' ')
}

function more(prealloc: string, state: string, owner: string): string {
  return `${prealloc.padStart(12)}  ${state.padEnd(8)} ${owner}`
}

function ownerOf({pid, owner}: OwnedLook['state']): string {
  return pid === null ? '' : `${pid} ${owner ?? ''}`
}

function colorOf(percent: number): string {
  if (percent < 50) return '\u001B[32m'
  return percent < 80 ? '\u001B[33m' : '\u001B[31m'
}
