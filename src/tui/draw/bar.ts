import type {Glyphs} from './glyphs.js'
import {span, type Span, type Tone} from './line.js'

/**
 * Pure: a bar of used, then reserved, then free cells; where the terminal has characters for it, the last used one is filled
 * by eighths. Anything above 0 shows in at least one cell where there are two, and only a total that is reached leaves no free
 * one.
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
  const steps = glyphs.usedParts.length + 1
  const {used, part, reserve} = split({usedBytes, reserveBytes, totalBytes: totalBytes ?? 0}, cells, steps)
  const spans = [
    span(glyphs.barStart, 'accent'),
    span(glyphs.used.repeat(used) + (glyphs.usedParts[part - 1] ?? ''), tone),
    span(glyphs.reserve.repeat(reserve), 'reserve'),
    span(glyphs.free.repeat(cells - used - (part > 0 ? 1 : 0) - reserve), 'dim'),
    span(glyphs.barEnd, 'accent'),
  ]
  return spans.filter(({text}) => text !== '')
}

/** @param steps in which a cell fills @returns whole used cells, the steps of the one after, and reserved cells */
function split(
  {usedBytes, reserveBytes, totalBytes}: {usedBytes: number; reserveBytes: number; totalBytes: number},
  cells: number,
  steps: number,
): {used: number; part: number; reserve: number} {
  if (totalBytes <= 0 || cells === 0) return {used: 0, part: 0, reserve: 0}
  const stepsOf = (bytes: number, perCell: number): number => {
    const exact = (Math.max(0, bytes) / totalBytes) * cells * perCell
    return exact > 0 ? Math.max(1, Math.round(exact)) : 0
  }
  const isFull = usedBytes + reserveBytes >= totalBytes
  const room = isFull || cells < 2 ? cells : cells - 1
  const wanted = stepsOf(reserveBytes, 1)
  const filled = Math.min(stepsOf(usedBytes, steps), Math.max(1, room - Math.min(wanted, 1)) * steps)
  const touched = Math.ceil(filled / steps)
  const reserve = Math.min(wanted, room - touched)
  if (isFull) return {used: Math.max(touched, room - reserve), part: 0, reserve}
  return {used: Math.floor(filled / steps), part: filled % steps, reserve}
}
