import {formatDurationMs, formatSize} from '../../lib/foundation/index.js'
import type {EngineFigures, HostLook, MonitorLook} from '../../lib/monitor/index.js'
import {bar} from '../draw/bar.js'
import type {Column} from '../draw/columns.js'
import {count, perSecond, shortMs, shortPercent} from '../draw/format.js'
import {span, toneOfPercent, type Tone} from '../draw/line.js'
import {sparkline} from '../draw/sparkline.js'
import {pastOf, seriesKey, type History} from '../state/history.js'
import {
  ageText,
  cellOf,
  HOST_COLUMN,
  hostCell,
  numberCell,
  segmentNamed,
  textCell,
  type Row,
  type Table,
} from './table.js'

const COLUMNS: readonly Column[] = [
  {id: 'model', title: 'Engine', align: 'left', minColumns: 12, maxColumns: 48, isText: true, rank: 0},
  {id: 'bar', title: '', align: 'left', minColumns: 8, maxColumns: 30, rank: 8},
  {id: 'kv', title: 'KV', align: 'right', minColumns: 6, rank: 1},
  {id: 'running', title: 'Run', align: 'right', minColumns: 4, rank: 2},
  {id: 'waiting', title: 'Wait', align: 'right', minColumns: 4, rank: 3},
  {id: 'hits', title: 'Hits', align: 'right', minColumns: 6, rank: 4.1},
  {id: 'preemptions', title: 'Preempt', align: 'right', minColumns: 7, rank: 4.3},
  {id: 'output', title: 'Tok/s', align: 'right', minColumns: 6, rank: 3.2},
  {id: 'input', title: 'In tok/s', align: 'right', minColumns: 8, rank: 7},
  {id: 'ttft', title: 'TTFT', align: 'right', minColumns: 7, rank: 4.2},
  {id: 'state', title: 'State', align: 'left', minColumns: 6, maxColumns: 15, isText: true, rank: 3.1},
  {id: 'history', title: 'KV history', align: 'left', minColumns: 10, maxColumns: 40, rank: 12},
  {id: 'segment', title: 'Segment', align: 'left', minColumns: 12, maxColumns: 40, isText: true, rank: 9},
  {id: 'gpus', title: 'GPUs', align: 'left', minColumns: 4, maxColumns: 16, isText: true, rank: 10},
  {id: 'url', title: 'URL', align: 'left', minColumns: 21, maxColumns: 40, isText: true, rank: 11},
]

const STATE_TONES: Readonly<Record<EngineFigures['state'], Tone | undefined>> = {
  ...{ok: 'good', asleep: 'dim', unreachable: 'bad', silent: 'bad'},
} as const

export function enginesTable({takenAtMs, hosts}: MonitorLook, history: History): Table {
  return {
    ...{id: 'engines', title: 'Engines', isExtra: true},
    columns: hosts.length > 1 ? [COLUMNS[0]!, HOST_COLUMN, ...COLUMNS.slice(1)] : COLUMNS,
    rows: hosts.flatMap(host => host.engines.map(engine => rowOf(host, engine, takenAtMs, history))),
    emptyBecause: 'no engine answers; --engine-url names one',
  }
}

function rowOf(look: HostLook, engine: EngineFigures, nowMs: number, history: History): Row {
  const {host} = look
  const {url, model, kind, state, readAtMs, kvUsagePercent, segment, devices} = engine
  const key = seriesKey(host, 'engine', url)
  const tone = toneOfPercent(kvUsagePercent)
  const told = `${state}${ageText(readAtMs, nowMs)}`
  return {
    key,
    cell: cellOf({
      model: textCell(model ?? url, 'strong'),
      host: hostCell(look),
      bar: {
        sort: kvUsagePercent,
        draw: (width, glyphs) =>
          bar(
            {
              ...{usedBytes: kvUsagePercent ?? 0, reserveBytes: 0},
              totalBytes: kvUsagePercent === null ? null : 100,
            },
            ...([width, glyphs, tone] as const),
          ),
      },
      kv: numberCell(kvUsagePercent, shortPercent, tone),
      running: numberCell(engine.running, count),
      waiting: numberCell(engine.waiting, count, (engine.waiting ?? 0) > 0 ? 'warn' : undefined),
      hits: numberCell(engine.hitPercent, shortPercent),
      preemptions: numberCell(engine.preemptions, count),
      output: numberCell(engine.generationTokensPerSecond, perSecond),
      input: numberCell(engine.promptTokensPerSecond, perSecond),
      ttft: numberCell(engine.ttftMs, shortMs),
      state: textCell(told, told === state ? STATE_TONES[state] : 'bad'),
      history: {
        sort: kvUsagePercent,
        draw: (width, glyphs) => [span(sparkline(pastOf(history, key), width, glyphs, 100), tone)],
      },
      segment: textCell(segment),
      gpus: textCell(devices.length === 0 ? null : devices.join(',')),
      url: textCell(url, 'dim'),
    }),
    words: [model, url, kind, told, host, segment].join(' '),
    details: detailsOf(host, engine, told),
    segment: segmentNamed(look, segment),
    sleeper:
      state === 'ok' || state === 'asleep'
        ? {
            ...{host, isAsleep: state === 'asleep', busy: (engine.running ?? 0) + (engine.waiting ?? 0)},
            sleeper: {kind: 'engine', url, engine: kind === 'sglang' ? 'sglang' : 'vllm', model},
          }
        : null,
  }
}

function detailsOf(host: string, engine: EngineFigures, told: string): Row['details'] {
  const size = (bytes: number | null): string => (bytes === null ? '-' : formatSize(bytes))
  const rate = (value: number | null): string => (value === null ? '-' : `${perSecond(value)} tokens/s`)
  const {ttftMs} = engine
  return [
    ['Engine', `${engine.model ?? '-'} (${engine.kind ?? 'unknown'})`],
    ['URL', engine.url],
    ['State', told],
    ['Requests', `${count(engine.running)} running, ${count(engine.waiting)} waiting`],
    ['KV use', shortPercent(engine.kvUsagePercent)],
    ['Hit rate', `${shortPercent(engine.hitPercent)} of prompt tokens since its start`],
    ['Preemptions', `${count(engine.preemptions)} since its start`],
    ['Output', rate(engine.generationTokensPerSecond)],
    ['Input', rate(engine.promptTokensPerSecond)],
    ['TTFT', ttftMs === null ? '-' : `${formatDurationMs(ttftMs)}, mean of the last seconds`],
    ['KV reserved', size(engine.kvReservedBytes)],
    ['KV in use', size(engine.kvUsedBytes)],
    ['KV cached', size(engine.kvCachedFreeBytes)],
    ['Weights etc.', size(engine.weightsAndRuntimeBytes)],
    ['Segment', engine.segment ?? '-'],
    ['GPUs', engine.devices.join(', ') || '-'],
    ['PIDs', engine.pids.join(', ') || '-'],
    ['Host', host],
  ]
}
