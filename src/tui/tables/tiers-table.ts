import {formatSize} from '../../lib/foundation/index.js'
import type {HostLook, MonitorLook, TierFigures} from '../../lib/monitor/index.js'
import {bar} from '../draw/bar.js'
import type {Column} from '../draw/columns.js'
import {count, shortPercent, shortSize} from '../draw/format.js'
import {toneOfPercent} from '../draw/line.js'
import {seriesKey} from '../state/history.js'
import {ageText, cellOf, HOST_COLUMN, hostCell, numberCell, textCell, type Row, type Table} from './table.js'

const COLUMNS: readonly Column[] = [
  {id: 'name', title: 'Tier', align: 'left', minColumns: 12, maxColumns: 24, isText: true, rank: 0},
  {id: 'bar', title: '', align: 'left', minColumns: 8, maxColumns: 30, rank: 5},
  {id: 'percent', title: '%', align: 'right', minColumns: 6, rank: 2},
  {id: 'bytes', title: 'Used', align: 'right', minColumns: 7, rank: 1},
  {id: 'capacity', title: 'Limit', align: 'right', minColumns: 7, rank: 3},
  {id: 'chunks', title: 'Chunks', align: 'right', minColumns: 7, rank: 4},
  {id: 'hits', title: 'Hits', align: 'right', minColumns: 6, rank: 4.1},
  {id: 'state', title: 'State', align: 'left', minColumns: 8, maxColumns: 40, isText: true, rank: 4.2},
  {id: 'evicted', title: 'Evicted', align: 'right', minColumns: 7, rank: 6},
  {id: 'pending', title: 'Pending', align: 'right', minColumns: 7, rank: 7},
  {id: 'read', title: 'Read', align: 'right', minColumns: 7, rank: 8},
  {id: 'written', title: 'Written', align: 'right', minColumns: 7, rank: 9},
  {id: 'failures', title: 'Failed', align: 'right', minColumns: 6, rank: 10},
  {id: 'worker', title: 'Worker', align: 'left', minColumns: 21, maxColumns: 40, isText: true, rank: 11},
]

export function tiersTable({takenAtMs, hosts}: MonitorLook): Table {
  return {
    ...{id: 'tiers', title: 'Tiers', isExtra: true},
    columns: hosts.length > 1 ? [COLUMNS[0]!, HOST_COLUMN, ...COLUMNS.slice(1)] : COLUMNS,
    rows: hosts.flatMap(host => host.tiers.map(tier => rowOf(host, tier, takenAtMs))),
    emptyBecause: 'no cache worker answers; --cache-url names one',
  }
}

function rowOf(look: HostLook, tier: TierFigures, nowMs: number): Row {
  const {host} = look
  const {name, worker, bytes, capacityBytes, degraded} = tier
  const isKnown = bytes !== null && capacityBytes !== null && capacityBytes > 0
  const percent = isKnown ? (bytes / capacityBytes) * 100 : null
  const tone = toneOfPercent(percent)
  const told = `${degraded === null ? 'ok' : `degraded: ${degraded}`}${ageText(tier.readAtMs, nowMs)}`
  return {
    key: seriesKey(host, 'tier', `${worker} ${name}`),
    cell: cellOf({
      // All of LMCache's names end so.
      name: textCell(name.replace(/Backend$/, ''), 'strong'),
      host: hostCell(look),
      bar: {
        sort: percent,
        draw: (width, glyphs) =>
          bar(
            {usedBytes: bytes ?? 0, reserveBytes: 0, totalBytes: capacityBytes},
            ...([width, glyphs, tone] as const),
          ),
      },
      percent: numberCell(percent, shortPercent, tone),
      bytes: numberCell(bytes, shortSize),
      capacity: numberCell(capacityBytes, shortSize),
      chunks: numberCell(tier.chunks, count),
      hits: numberCell(tier.hitPercent, shortPercent),
      state: textCell(told, told === 'ok' ? 'good' : 'bad'),
      evicted: numberCell(tier.evictedChunks, count),
      pending: numberCell(tier.pendingWrites, count),
      read: numberCell(tier.readBytes, shortSize),
      written: numberCell(tier.writeBytes, shortSize),
      failures: numberCell(tier.failures, count, (tier.failures ?? 0) > 0 ? 'warn' : undefined),
      worker: textCell(worker, 'dim'),
    }),
    words: [name, worker, told, host].join(' '),
    details: detailsOf(host, tier, told, percent),
    ...{segment: null, sleeper: null},
  }
}

function detailsOf(host: string, tier: TierFigures, told: string, percent: number | null): Row['details'] {
  const size = (bytes: number | null): string => (bytes === null ? '-' : formatSize(bytes))
  return [
    ['Tier', tier.name],
    ['Worker', tier.worker],
    ['State', told],
    ['Used', `${size(tier.bytes)} / ${size(tier.capacityBytes)} (${shortPercent(percent)})`],
    ['Chunks', `${count(tier.chunks)}, ${count(tier.pinnedChunks)} pinned`],
    ['Evicted', `${count(tier.evictedChunks)} chunks since its start`],
    ['Pending', `${count(tier.pendingWrites)} chunks on their way there`],
    ['Traffic', `${size(tier.readBytes)} read, ${size(tier.writeBytes)} written`],
    ['Failed', `${count(tier.failures)} reads and writes`],
    ['Hit rate', `${shortPercent(tier.hitPercent)} of the tokens asked of its worker`],
    ['Host', host],
  ]
}
