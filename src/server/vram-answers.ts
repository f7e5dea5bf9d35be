import {ConfigurationError} from '../lib/foundation/index.js'
import {vramDocument, vramDocument2, VramWriter, type BlockChoice} from '../lib/machine/index.js'
import type {FedLook} from './machine-feed.js'
import type {VramQuery} from './schemas/vram.js'

/** What a client wants to see of this host. */
export interface VramWish {
  readonly gpu: string
  readonly blocks: BlockChoice
  readonly schema: 1 | 2
}

const RANGE = /^(\d{1,9})-(\d{1,9})$/

/** @throws ConfigurationError `BLOCKS_INVALID` for a choice of blocks that is none */
export function vramWish({gpu = 'all', blocks = 'all', schema = '1'}: VramQuery): VramWish {
  const [, from, to] = RANGE.exec(blocks) ?? []
  const isRange = from !== undefined && Number(from) <= Number(to)
  if (!isRange && blocks !== 'all' && blocks !== 'none' && blocks !== 'summary')
    throw new ConfigurationError('BLOCKS_INVALID', `blocks is all, none, summary or FROM-TO, not '${blocks}'`)
  const choice = isRange ? {from: Number(from), to: Number(to)} : (blocks as 'all' | 'none' | 'summary')
  return {gpu, blocks: choice, schema: schema === '2' ? 2 : 1}
}

/**
 * The text of one look for one wish.
 *
 * @param writer one for those who want the same, as it keeps long lists
 * @throws ResourceError `GPU_NOT_FOUND`
 */
export function vramText(
  {look, lateMs}: FedLook,
  {gpu, blocks, schema}: VramWish,
  writer: VramWriter,
): string {
  const late = lateMs === null ? [] : [lateWarning(look.takenAtMs, lateMs)]
  if (schema === 2) {
    const document = vramDocument2(look, gpu)
    return JSON.stringify({...document, warnings: [...document.warnings, ...late]})
  }
  const {document, blocks: runs} = vramDocument(look, gpu)
  return writer.write({...document, warnings: [...document.warnings, ...late]}, runs, blocks)
}

function lateWarning(takenAtMs: number, lateMs: number): {code: string; message: string} {
  const time = new Date(takenAtMs).toISOString()
  return {code: 'LOOK_LATE', message: `no answer for ${lateMs} ms: these are the figures of ${time}`}
}
