import {formatSize} from '../../lib/foundation/index.js'
import type {DeviceFigures, HostLook, MonitorLook} from '../../lib/monitor/index.js'
import {bar} from '../draw/bar.js'
import type {Column} from '../draw/columns.js'
import {shortPercent, shortSize, whole} from '../draw/format.js'
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

const COLUMNS: readonly Column[] = [
  {id: 'index', title: 'GPU', align: 'left', minColumns: 4, rank: 0},
  {id: 'name', title: 'Name', align: 'left', minColumns: 8, maxColumns: 32, isText: true, rank: 7},
  {id: 'bar', title: '', align: 'left', minColumns: 8, maxColumns: 60, rank: 3.5},
  {id: 'percent', title: '%', align: 'right', minColumns: 6, rank: 1},
  {id: 'used', title: 'Used', align: 'right', minColumns: 7, rank: 2},
  {id: 'total', title: 'Total', align: 'right', minColumns: 7, rank: 5},
  {id: 'free', title: 'Free', align: 'right', minColumns: 7, rank: 10},
  {id: 'utilization', title: 'Util', align: 'right', minColumns: 4, rank: 3},
  {id: 'temperature', title: 'Temp', align: 'right', minColumns: 4, rank: 6},
  {id: 'power', title: 'Power', align: 'right', minColumns: 9, rank: 8},
  {id: 'state', title: 'State', align: 'left', minColumns: 7, maxColumns: 40, isText: true, rank: 9},
  {id: 'history', title: 'Util history', align: 'left', minColumns: 12, maxColumns: 60, rank: 11},
]

export function gpusTable(look: MonitorLook, history: History): Table {
  const {hosts} = look
  const reasons = hosts.map(({devicesMissing}) => devicesMissing).filter(reason => reason !== null)
  return {
    ...{id: 'gpus', title: 'GPUs'},
    columns: hosts.length > 1 ? [COLUMNS[0]!, HOST_COLUMN, ...COLUMNS.slice(1)] : COLUMNS,
    rows: hosts.flatMap(host => host.devices.map(device => rowOf(host, device, history))),
    emptyBecause: whyEmpty(
      look,
      reasons[0] === undefined ? 'asking the driver…' : `GPU memory info unavailable: ${reasons[0]}`,
    ),
  }
}

/** What a row is drawn from. */
interface Shown {
  readonly look: HostLook
  readonly device: DeviceFigures
  readonly past: () => readonly (number | null)[]
}

const CELLS: Readonly<Record<string, (shown: Shown) => Cell>> = {
  index: ({device: {index}}) => ({...textCell(index, 'strong'), sort: Number(index)}),
  host: ({look}) => hostCell(look),
  // All are NVIDIA's.
  name: ({device}) => textCell(device.name?.replace(/^NVIDIA /, '') ?? null),
  bar: ({device}) => ({
    sort: memoryPercent(device),
    draw: (width, glyphs) =>
      bar(
        {usedBytes: device.memoryUsedBytes ?? 0, reserveBytes: 0, totalBytes: device.memoryTotalBytes},
        ...([width, glyphs, toneOfPercent(memoryPercent(device))] as const),
      ),
  }),
  percent: ({device}) =>
    numberCell(memoryPercent(device), shortPercent, toneOfPercent(memoryPercent(device))),
  used: ({device}) => numberCell(device.memoryUsedBytes, shortSize),
  total: ({device}) => numberCell(device.memoryTotalBytes, shortSize),
  free: ({device}) => numberCell(freeBytes(device), shortSize),
  utilization: ({device}) => numberCell(device.utilizationPercent, value => whole(value, '%')),
  temperature: ({device}) => numberCell(device.temperatureCelsius, value => whole(value, 'C')),
  power: ({device}) => numberCell(device.powerWatts, () => powerText(device)),
  state: ({device}) => textCell(stateText(device), stateTone(device)),
  history: ({device, past}) => ({
    sort: device.utilizationPercent,
    draw: (width, glyphs) => [span(sparkline(past(), width, glyphs, 100))],
  }),
}

function rowOf(look: HostLook, device: DeviceFigures, history: History): Row {
  const {host} = look
  const {index, name} = device
  const key = seriesKey(host, 'gpu', device.uuid ?? index)
  const shown: Shown = {look, device, past: () => pastOf(history, key)}
  return {
    key,
    cell: column => CELLS[column]?.(shown) ?? null,
    get words() {
      return [index, name ?? '', host, stateText(device), ...(device.throttleReasons ?? [])].join(' ')
    },
    get details() {
      return detailsOf(host, device)
    },
    segment: null,
    sleeper: null,
  }
}

function freeBytes({memoryUsedBytes, memoryTotalBytes}: DeviceFigures): number | null {
  return memoryTotalBytes === null || memoryUsedBytes === null ? null : memoryTotalBytes - memoryUsedBytes
}

export function memoryPercent({memoryUsedBytes, memoryTotalBytes}: DeviceFigures): number | null {
  if (memoryUsedBytes === null || memoryTotalBytes === null || memoryTotalBytes === 0) return null
  return (memoryUsedBytes / memoryTotalBytes) * 100
}

function powerText({powerWatts, powerLimitWatts}: DeviceFigures): string {
  if (powerWatts === null) return '-'
  return powerLimitWatts === null
    ? whole(powerWatts, 'W')
    : `${whole(powerWatts, '')}/${whole(powerLimitWatts, 'W')}`
}

/** In the few columns that there are; the worst first. */
const SHORT_THROTTLES: Readonly<Record<string, string>> = {
  hardware_thermal: 'thermal',
  software_thermal: 'thermal',
  hardware_power_brake: 'brake',
  hardware_slowdown: 'slowdown',
  software_power_cap: 'power cap',
  sync_boost: 'sync boost',
  application_clocks: 'app clocks',
  display_clocks: 'display',
}
const BY_SEVERITY = Object.keys(SHORT_THROTTLES)

function shortThrottles(reasons: readonly string[]): string[] {
  const known = BY_SEVERITY.filter(reason => reasons.includes(reason))
  const others = reasons.filter(reason => !known.includes(reason))
  return [...new Set([...known.map(reason => SHORT_THROTTLES[reason]!), ...others])]
}

function stateText({state, xid, throttleReasons}: DeviceFigures): string {
  const faults = xid === null ? [] : [`Xid ${xid}`]
  const throttles = shortThrottles(throttleReasons ?? [])
  const parts = [...(state === 'ok' ? [] : [state]), ...faults, ...throttles]
  return parts.length === 0 ? 'ok' : parts.join(', ')
}

function stateTone({state, xid, throttleReasons}: DeviceFigures): Tone | undefined {
  if (state !== 'ok' && state !== 'asleep') return 'bad'
  if (xid !== null) return 'bad'
  return (throttleReasons ?? []).length > 0 ? 'warn' : undefined
}

function detailsOf(host: string, device: DeviceFigures): readonly (readonly [string, string])[] {
  const size = (bytes: number | null): string => (bytes === null ? '-' : formatSize(bytes))
  const {throttleReasons, temperatureCelsius, utilizationPercent} = device
  return [
    ['GPU', `${device.index} ${device.name ?? ''}`],
    ['UUID', device.uuid ?? '-'],
    [
      'Used',
      `${size(device.memoryUsedBytes)} / ${size(device.memoryTotalBytes)} (${shortPercent(memoryPercent(device))})`,
    ],
    ['Free', size(freeBytes(device))],
    ['Utilisation', whole(utilizationPercent, ' %')],
    ['Temperature', whole(temperatureCelsius, ' °C')],
    ['Power', powerText(device)],
    ['Throttled by', throttleReasons === null ? '-' : throttleReasons.join(', ') || 'nothing'],
    ['State', [device.state, ...(device.xid === null ? [] : [`Xid ${device.xid}`])].join(', ')],
    ['Host', host],
  ]
}
