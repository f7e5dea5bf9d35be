import {formatSize} from '../../lib/foundation/index.js'
import type {HostLook, MonitorLook, ProcessFigures} from '../../lib/monitor/index.js'
import type {Column} from '../draw/columns.js'
import {shortSize, whole} from '../draw/format.js'
import {seriesKey} from '../state/history.js'
import {
  cellOf,
  HOST_COLUMN,
  hostCell,
  numberCell,
  segmentNamed,
  textCell,
  whyEmpty,
  type Row,
  type Table,
} from './table.js'

const COLUMNS: readonly Column[] = [
  {id: 'pid', title: 'PID', align: 'right', minColumns: 7, rank: 0},
  {id: 'gpu', title: 'GPU', align: 'left', minColumns: 4, rank: 2},
  {id: 'memory', title: 'GPU mem', align: 'right', minColumns: 7, rank: 3},
  {id: 'sm', title: 'SM', align: 'right', minColumns: 4, rank: 5},
  {id: 'name', title: 'Name', align: 'left', minColumns: 10, maxColumns: 24, isText: true, rank: 1},
  {id: 'segment', title: 'Segment', align: 'left', minColumns: 12, maxColumns: 40, isText: true, rank: 4},
  {id: 'model', title: 'Model', align: 'left', minColumns: 8, maxColumns: 40, isText: true, rank: 5.5},
  {id: 'engine', title: 'Engine', align: 'left', minColumns: 12, maxColumns: 40, isText: true, rank: 7.5},
  {id: 'pod', title: 'Pod', align: 'left', minColumns: 8, maxColumns: 36, isText: true, rank: 8},
  {id: 'container', title: 'Container', align: 'left', minColumns: 9, maxColumns: 12, isText: true, rank: 7},
  {id: 'command', title: 'Command', align: 'left', minColumns: 16, maxColumns: 200, isText: true, rank: 6},
]

export function processesTable(look: MonitorLook): Table {
  const {hosts} = look
  return {
    ...{id: 'processes', title: 'Processes'},
    columns: hosts.length > 1 ? [COLUMNS[0]!, HOST_COLUMN, ...COLUMNS.slice(1)] : COLUMNS,
    rows: hosts.flatMap(host => host.processes.map(process => rowOf(host, process))),
    emptyBecause: whyEmpty(look, 'no process holds GPU memory or owns a segment'),
  }
}

function rowOf(look: HostLook, process: ProcessFigures): Row {
  const {host} = look
  const {engine, model} = process
  const {pid, device, gpuBytes, smPercent, name, command, segment, podUid, containerId} = process
  return {
    key: seriesKey(host, 'process', `${pid}@${device ?? ''}`),
    cell: cellOf({
      pid: numberCell(pid, value => `${value ?? '-'}`),
      host: hostCell(look),
      gpu: textCell(device),
      memory: numberCell(gpuBytes, shortSize),
      sm: numberCell(smPercent, value => whole(value, '%')),
      name: textCell(name, 'strong'),
      segment: textCell(segment),
      model: textCell(model),
      engine: textCell(engine),
      pod: textCell(podUid),
      container: textCell(containerId?.slice(0, 12) ?? null),
      command: textCell(command, 'dim'),
    }),
    words: [`${pid}`, host, name, segment, model, engine, command, podUid].join(' '),
    details: [
      ['PID', `${pid} ${name ?? ''}`],
      ['GPU', device ?? '-'],
      ['GPU memory', gpuBytes === null ? '-' : formatSize(gpuBytes)],
      ['Segment', segment ?? '-'],
      ['Engine', engine ?? '-'],
      ['Model', model ?? '-'],
      ['User', process.userId === null ? '-' : `${process.userId}`],
      ['Pod', podUid ?? '-'],
      ['Container', containerId ?? '-'],
      ['Command', command ?? '-'],
      ['Host', host],
    ],
    segment: segmentNamed(look, segment),
    sleeper: null,
  }
}
