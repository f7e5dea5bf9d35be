import {ConfigurationError} from '../foundation/index.js'
import {itemBytesOf, type DType} from './dtype.js'
import type {StridedView} from './kv-layout.js'

/** The states of one mamba layer and slot: any number of convolutions, and one that changes with time. */
export interface MambaShapes {
  readonly conv: readonly (readonly number[])[]
  readonly temporal: readonly number[]
  readonly convDtype: DType
  readonly temporalDtype: DType
}

export interface MambaGeometry {
  readonly numSlots: number
  readonly numLayers: number
  readonly pageBytes: number
  readonly isContiguous: boolean
}

/** Where the states lie: those of a slot and layer together in one cell, which is a block of one token. */
export interface MambaLayout {
  /** Of a slot in a layer; divides a page, so that no slot straddles two. */
  readonly cellBytes: number
  /** In a cell, by convolution. */
  readonly convOffsets: readonly number[]
  readonly temporalOffset: number
  /** By convolution, then by layer; shape (slots, …). */
  readonly conv: readonly (readonly StridedView[])[]
  readonly temporal: readonly StridedView[]
}

/**
 * Pure: how mamba states lie in memory.
 *
 * @throws ConfigurationError `KV_BLOCK_TOO_LARGE` when a slot does not fit into a page
 * @see ovg-project/kvcached:kvcached/integration/sglang/interfaces.py — the same cells and offsets
 */
export function mambaLayout(
  shapes: MambaShapes,
  {numSlots, numLayers, pageBytes, isContiguous}: MambaGeometry,
): MambaLayout {
  const [convBytes, temporalBytes] = [itemBytesOf(shapes.convDtype), itemBytesOf(shapes.temporalDtype)]
  let end = 0
  const place = (shape: readonly number[], itemBytes: number): number => {
    const offset = roundUp(end, itemBytes)
    end = offset + product(shape) * itemBytes
    return offset
  }
  const convOffsets = shapes.conv.map(shape => place(shape, convBytes))
  const temporalOffset = place(shapes.temporal, temporalBytes)
  const neededBytes = roundUp(end, Math.max(convBytes, temporalBytes))
  const cellBytes = smallestDivisor(pageBytes, neededBytes)
  if (cellBytes === null) {
    throw new ConfigurationError(
      'KV_BLOCK_TOO_LARGE',
      `the mamba states of a slot are ${neededBytes} bytes a layer and do not fit into a page of ${pageBytes} bytes`,
      {suggestions: [`use larger pages (KVCACHED_PAGE_SIZE_MB=${Math.ceil(neededBytes / 2 ** 21) * 2})`]},
    )
  }
  const views = (shape: readonly number[], offset: number, itemBytes: number): StridedView[] =>
    Array.from({length: numLayers}, (_, layer) => ({
      range: isContiguous ? 0 : layer,
      byteOffset: offset + (isContiguous ? layer * cellBytes : 0),
      shape: [numSlots, ...shape],
      strides: [
        ((isContiguous ? numLayers : 1) * cellBytes) / itemBytes,
        ...shape.map((_, index) => product(shape.slice(index + 1))),
      ],
    }))
  return {
    ...{cellBytes, convOffsets, temporalOffset},
    conv: shapes.conv.map((shape, index) => views(shape, convOffsets[index]!, convBytes)),
    temporal: views(shapes.temporal, temporalOffset, temporalBytes),
  }
}

const product = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1)

function roundUp(bytes: number, step: number): number {
  return Math.ceil(bytes / step) * step
}

/** Of `whole`, not below `least`; null when there is none. */
function smallestDivisor(whole: number, least: number): number | null {
  for (let parts = Math.floor(whole / least); parts > 0; parts--)
    if (whole % parts === 0) return whole / parts
  return null
}
