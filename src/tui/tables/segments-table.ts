import {formatSize} from '../../lib/foundation/index.js'
import type {HostLook, MonitorLook, SegmentFigures} from '../../lib/monitor/index.js'
import {bar} from '../draw/bar.js'
import type {Column} from '../draw/columns.js'
import {shortPercent, shortSize} from '../draw/format.js'
import {span, toneOfPercent, type Tone} from '../draw/line.js'
import {sparkline} from '../draw/sparkline.js'
import {pastOf, seriesKey, type History} from '../state/history.js'
import {
  HOST_COLUMN,
  hostCell,
  numberCell,
  textCell,
  whyEmpty,
  type Cell,
  type Row,
  type Table,
} from './table.js'

const NAME: Column = {
  id: 'name',
  title: 'Segment',
  align: 'left',
  minColumns: 12,
  maxColumns: 64,
  isText: true,
  rank: 0,
}
const COLUMNS: readonly Column[] = [
  {id: 'bar', title: '', align: 'left', minColumns: 8, maxColumns: 60, rank: 3},
  {id: 'percent', title: '%', align: 'right', minColumns: 6, rank: 1},
  {id: 'used', title: 'Used', align: 'right', minColumns: 7, rank: 2},
  {id: 'prealloc', title: 'Prealloc', align: 'right', minColumns: 8, rank: 6},
  {id: 'limit', title: 'Limit', align: 'right', minColumns: 7, rank: 4},
  {id: 'free', title: 'Free', align: 'right', minColumns: 7, rank: 5},
  {id: 'state', title: 'State', align: 'left', minColumns: 7, rank: 7},
  {id: 'history', title: 'History', align: 'left', minColumns: 10, maxColumns: 60, rank: 8},
  {id: 'pid', title: 'PID', align: 'right', minColumns: 7, rank: 9},
  {id: 'owner', title: 'Owner', align: 'left', minColumns: 16, maxColumns: 60, isText: true, rank: 10},
]

const STATE_TONES: Readonly<Record<SegmentFigures['state'], Tone | undefined>> = {
  ...{live: 'good', idle: undefined, stale: 'bad', foreign: 'dim', unknown: 'dim', missing: 'bad'},
} as const

/** (used + preallocated) / limit × 100, which kvcached's screen shows and colours by; null without a limit. */
export function heldPercent({usedBytes, preallocBytes, limitBytes}: SegmentFigures): number | null {
  if (usedBytes === null || preallocBytes === null || limitBytes === null || limitBytes <= 0) return null
  return ((usedBytes + preallocBytes) / limitBytes) * 100
}

export function freeBytes({usedBytes, preallocBytes, limitBytes}: SegmentFigures): number | null {
  if (usedBytes === null || preallocBytes === null || limitBytes === null) return null
  return Math.max(0, limitBytes - usedBytes - preallocBytes)
}

export function segmentsTable(look: MonitorLook, history: History): Table {
  const {hosts} = look
  return {
    ...{id: 'segments', title: 'Segments'},
    columns: [NAME, ...(hosts.length > 1 ? [HOST_COLUMN] : []), ...COLUMNS],
    rows: hosts.flatMap(host => host.segments.map(segment => rowOf(host, segment, history))),
    emptyBecause: whyEmpty(look, 'no active KVCached segments'),
  }
}

/** What a row is drawn from. */
interface Shown {
  readonly look: HostLook
  readonly segment: SegmentFigures
  readonly percent: number | null
  readonly past: () => readonly (number | null)[]
}

const CELLS: Readonly<Record<string, (shown: Shown) => Cell>> = {
  name: ({segment}) => textCell(segment.name, 'strong'),
  host: ({look}) => hostCell(look),
  bar: ({segment: {usedBytes, preallocBytes, limitBytes}, percent}) => ({
    sort: percent,
    draw: (width, glyphs) =>
      bar(
        {usedBytes: usedBytes ?? 0, reserveBytes: preallocBytes ?? 0, totalBytes: limitBytes},
        ...([width, glyphs, toneOfPercent(percent)] as const),
      ),
  }),
  percent: ({percent}) => numberCell(percent, shortPercent, toneOfPercent(percent)),
  used: ({segment}) => numberCell(segment.usedBytes, shortSize),
  prealloc: ({segment}) => numberCell(segment.preallocBytes, shortSize, 'reserve'),
  limit: ({segment}) => numberCell(segment.limitBytes, shortSize),
  free: ({segment}) => numberCell(freeBytes(segment), shortSize),
  state: ({segment: {state}}) => textCell(state, STATE_TONES[state]),
  history: ({percent, past}) => ({
    sort: percent,
    draw: (width, glyphs) => [span(sparkline(past(), width, glyphs, 100), toneOfPercent(percent))],
  }),
  pid: ({segment}) => numberCell(segment.pid, value => (value === null ? '-' : `${value}`)),
  owner: ({segment}) => textCell(segment.owner, 'dim'),
}

function rowOf(look: HostLook, segment: SegmentFigures, history: History): Row {
  const {host} = look
  const {name, state, pid, owner} = segment
  const percent = heldPercent(segment)
  const key = seriesKey(host, 'segment', name)
  const shown: Shown = {look, segment, percent, past: () => pastOf(history, key)}
  return {
    key,
    cell: column => CELLS[column]?.(shown) ?? null,
    get words() {
      return [name, host, state, owner ?? '', `${pid ?? ''}`].join(' ')
    },
    get details() {
      return detailsOf(host, segment, percent)
    },
    get segment() {
      return {...segment, host}
    },
    sleeper: null,
  }
}

function detailsOf(
  host: string,
  segment: SegmentFigures,
  percent: number | null,
): readonly (readonly [string, string])[] {
  const {name, limitBytes, usedBytes, preallocBytes, startupBytes, state, stateReason, pid, owner} = segment
  const size = (bytes: number | null): string => (bytes === null ? '-' : formatSize(bytes))
  return [
    ['IPC', name],
    ['Prealloc', size(preallocBytes)],
    ['Used', `${size(usedBytes)} / ${size(limitBytes)} (${shortPercent(percent)} with prealloc)`],
    ['Free', size(freeBytes(segment))],
    ['Start-up total', size(startupBytes)],
    ['State', `${state}: ${stateReason}`],
    ['Owner', pid === null ? '-' : `${pid} ${owner ?? ''}`],
    ['Host', host],
    ...segment.warnings.map(warning => ['Warning', warning] as const),
  ]
}
