import {formatSize} from '../lib/foundation/index.js'
import type {VramDocument} from '../lib/machine/index.js'
import {alignColumns, type Column} from './align-columns.js'

/** A document of `/vram` as it may come from anywhere: Blackbox itself has no more than the first keys. */
export type AnyVramDocument = Pick<
  VramDocument,
  'total_bytes' | 'used_bytes' | 'free_bytes' | 'used_percent' | 'allocated_blocks' | 'utilized_blocks'
> &
  Partial<Pick<VramDocument, 'processes' | 'devices' | 'engines'>>

type Devices = NonNullable<AnyVramDocument['devices']>
type Engines = NonNullable<AnyVramDocument['engines']>
interface Part {
  readonly bytes: number | null
  readonly basis: string | null
}

const DEVICE_COLUMNS: readonly Column[] = [
  ['GPU', 'left'],
  ['Name', 'left'],
  ['Used', 'right'],
  ['Free', 'right'],
  ['Total', 'right'],
  ['State', 'left'],
]
const SHARE_COLUMNS: readonly Column[] = [
  ['GPU', 'left'],
  ['Memory', 'right'],
  ['Held by', 'left'],
]
const ENGINE_COLUMNS: readonly Column[] = [
  ['Engine', 'left'],
  ['Model', 'left'],
  ['Blocks', 'right'],
  ['Weights+runtime', 'right'],
  ['KV reserved', 'right'],
  ['KV in use', 'right'],
  ['KV cached', 'right'],
  ['KV free', 'right'],
]

/**
 * Memory and blocks in two lines, then GPUs, who holds their memory, and engines. Derived figures are marked with ~.
 *
 * @returns lines without a trailing newline
 */
export function vramSummary(document: AnyVramDocument): string {
  const {devices = [], engines = []} = document
  const lines = [
    `Memory  ${size(document.used_bytes)} of ${size(document.total_bytes)} in use (${document.used_percent.toFixed(2)} %), ${size(document.free_bytes)} free`,
    `Blocks  ${document.utilized_blocks} of ${document.allocated_blocks} in use`,
  ]
  if (devices.length > 0) lines.push('', ...alignColumns(DEVICE_COLUMNS, devices.map(deviceRow)))
  const shares = devices.flatMap(shareRows)
  if (shares.length > 0) lines.push('', ...alignColumns(SHARE_COLUMNS, shares))
  const answering = engines.filter(({state}) => state === 'ok')
  if (answering.length > 0) lines.push('', ...alignColumns(ENGINE_COLUMNS, answering.map(engineRow)))
  return lines.join('\n')
}

function deviceRow({
  index,
  name,
  used_bytes: used,
  free_bytes: free,
  total_bytes: total,
  state,
}: Devices[number]): string[] {
  return [String(index), name ?? 'N/A', size(used), size(free), size(total), state]
}

function shareRows({index, memory}: Devices[number]): string[][] {
  if (memory === null) return []
  const {engines, other_processes: others, driver_reserved: driver, unattributed} = memory
  const row = (holder: string, part: Part): string[] => [String(index), partSize(part), holder]
  return [
    ...engines.map(({url, bytes}) => row(url, {bytes, basis: 'measured'})),
    row('other processes', others),
    row('driver', driver),
    row('unattributed', unattributed),
  ]
}

function engineRow({
  url,
  model,
  utilized_blocks: used,
  allocated_blocks: all,
  memory,
}: Engines[number]): string[] {
  return [
    url,
    model ?? 'N/A',
    all === null ? 'N/A' : `${used ?? 'N/A'}/${all}`,
    partSize(memory.weights_and_runtime),
    partSize(memory.kv_reserved),
    partSize(memory.kv_used),
    partSize(memory.kv_cached_free),
    partSize(memory.kv_free),
  ]
}

function partSize({bytes, basis}: Part): string {
  return bytes === null ? 'N/A' : `${basis === 'derived' ? '~' : ''}${size(bytes)}`
}

function size(bytes: number | null): string {
  return bytes === null ? 'N/A' : formatSize(BigInt(Math.round(bytes)))
}
