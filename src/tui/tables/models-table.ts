import {formatDurationMs} from '../../lib/foundation/index.js'
import type {HostLook, ModelFigures, MonitorLook} from '../../lib/monitor/index.js'
import type {Column} from '../draw/columns.js'
import {count, perSecond, shortMs} from '../draw/format.js'
import type {Tone} from '../draw/line.js'
import {seriesKey} from '../state/history.js'
import {ageText, cellOf, HOST_COLUMN, hostCell, numberCell, textCell, type Row, type Table} from './table.js'

const COLUMNS: readonly Column[] = [
  {id: 'name', title: 'Model', align: 'left', minColumns: 12, maxColumns: 48, isText: true, rank: 0},
  {id: 'phase', title: 'Phase', align: 'left', minColumns: 8, maxColumns: 24, isText: true, rank: 1},
  {id: 'rate', title: 'Req/s', align: 'right', minColumns: 7, rank: 2},
  {id: 'running', title: 'Run', align: 'right', minColumns: 4, rank: 3},
  {id: 'waiting', title: 'Wait', align: 'right', minColumns: 4, rank: 4},
  {id: 'idle', title: 'Idle for', align: 'right', minColumns: 8, rank: 4.1},
  {id: 'asleep', title: 'Asleep for', align: 'right', minColumns: 10, rank: 4.2},
  {id: 'answer', title: 'Mean answer', align: 'right', minColumns: 11, rank: 6},
  {id: 'requests', title: 'Requests', align: 'right', minColumns: 8, rank: 5},
  {id: 'failed', title: 'Failed', align: 'right', minColumns: 6, rank: 7},
  {id: 'engines', title: 'Healthy', align: 'right', minColumns: 7, rank: 8},
  {
    id: 'controller',
    title: 'Controller',
    align: 'left',
    minColumns: 21,
    maxColumns: 40,
    isText: true,
    rank: 9,
  },
]

const PHASE_TONES: Readonly<Record<string, Tone>> = {
  ...{awake: 'good', asleep: 'dim', falling: 'warn', waking: 'warn'},
}

export function modelsTable({takenAtMs, hosts}: MonitorLook): Table {
  return {
    ...{id: 'models', title: 'Controller', isExtra: true},
    columns: hosts.length > 1 ? [COLUMNS[0]!, HOST_COLUMN, ...COLUMNS.slice(1)] : COLUMNS,
    rows: hosts.flatMap(host => host.models.map(model => rowOf(host, model, takenAtMs))),
    emptyBecause: 'no controller with a model answers; --controller-url names one',
  }
}

function rowOf(look: HostLook, model: ModelFigures, nowMs: number): Row {
  const {host} = look
  const {name, controller, phase, engines, healthyEngines} = model
  const told = `${phase}${ageText(model.readAtMs, nowMs)}`
  const health = healthyEngines === null ? `${engines}` : `${healthyEngines}/${engines}`
  const isIll = healthyEngines !== null && healthyEngines < engines
  return {
    key: seriesKey(host, 'model', `${controller} ${name}`),
    cell: cellOf({
      name: textCell(name, 'strong'),
      host: hostCell(look),
      phase: textCell(told, told === phase ? PHASE_TONES[phase] : 'bad'),
      rate: numberCell(model.requestsPerSecond, perSecond),
      running: numberCell(model.inFlight, count),
      waiting: numberCell(model.waiting, count, (model.waiting ?? 0) > 0 ? 'warn' : undefined),
      idle: numberCell(model.idleMs, shortMs),
      asleep: numberCell(model.asleepForMs, shortMs),
      answer: numberCell(model.meanAnswerMs, shortMs),
      requests: numberCell(model.requests, count),
      failed: numberCell(model.failed, count, (model.failed ?? 0) > 0 ? 'warn' : undefined),
      engines: numberCell(healthyEngines ?? engines, () => health, isIll ? 'bad' : undefined),
      controller: textCell(controller, 'dim'),
    }),
    words: [name, told, controller, host].join(' '),
    details: [
      ['Model', name],
      ['Controller', controller],
      ['Phase', told],
      ['Asleep for', model.asleepForMs === null ? '-' : formatDurationMs(model.asleepForMs)],
      ['Idle for', model.idleMs === null ? '-' : formatDurationMs(model.idleMs)],
      ['Requests', `${count(model.requests)} since its start, ${count(model.failed)} failed`],
      ['Rate', `${perSecond(model.requestsPerSecond)}/s over the last minute`],
      ['Mean answer', model.meanAnswerMs === null ? '-' : formatDurationMs(model.meanAnswerMs)],
      ['In flight', `${count(model.inFlight)}, ${count(model.waiting)} waiting`],
      ['Engines', `${health} healthy`],
      ['Host', host],
    ],
    segment: null,
    sleeper: {
      ...{host, isAsleep: phase === 'asleep', busy: (model.inFlight ?? 0) + (model.waiting ?? 0)},
      sleeper: {kind: 'model', name, controller},
    },
  }
}
