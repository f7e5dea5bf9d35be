import type {Glyphs} from './glyphs.js'
import {span, type Span, type Tone} from './line.js'

/**
 * Pure: a bar of used, then reserved, then free cells. Anything above 0 shows at least one cell where there are two, and only
 * a total that is reached leaves no free one.
 *
 * @param columns with both ends
 * @param totalBytes null when unknown: the bar is empty
 */
export function bar(
  {usedBytes, reserveBytes, totalBytes}: {usedBytes: number; reserveBytes: number; totalBytes: number | null},
  columns: number,
  glyphs: Glyphs,
  tone: Tone | undefined,
): Span[] {
  const cells = Math.max(0, columns - 2)
  const {used, reserve} = split(usedBytes, reserveBytes, totalBytes ?? 0, cells)
  const spans = [
    span(glyphs.barStart, 'accent'),
    span(glyphs.used.repeat(used), tone),
    span(glyphs.reserve.repeat(reserve), 'reserve'),
    span(glyphs.free.repeat(cells - used - reserve), 'dim'),
    span(glyphs.barEnd, 'accent'),
  ]
  return spans.filter(({text}) => text !== '')
}

function split(
  usedBytes: number,
  reserveBytes: number,
  totalBytes: number,
  cells: number,
): {used: number; reserve: number} {
  if (totalBytes <= 0 || cells === 0) return {used: 0, reserve: 0}
  const cellsOf = (bytes: number): number => {
    const exact = (Math.max(0, bytes) / totalBytes) * cells
    return exact > 0 ? Math.max(1, Math.round(exact)) : 0
  }
  const isFull = usedBytes + reserveBytes >= totalBytes
  const room = isFull || cells < 2 ? cells : cells - 1
  const wanted = cellsOf(reserveBytes)
  const used = Math.min(cellsOf(usedBytes), Math.max(1, room - Math.min(wanted, 1)))
  const reserve = Math.min(wanted, room - used)
  return {used: isFull ? Math.max(used, room - reserve) : used, reserve}
}
