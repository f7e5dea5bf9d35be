import type {Glyphs} from './glyphs.js'

/**
 * Pure: the newest values, right-aligned, one column each; unknown ones stay blank.
 *
 * @param top the value of the highest level; null takes the highest value shown
 */
export function sparkline(
  values: readonly (number | null)[],
  columns: number,
  glyphs: Glyphs,
  top: number | null,
): string {
  const shown = values.slice(-columns)
  const highest = top ?? Math.max(...shown.map(value => value ?? 0), 0)
  const levels = glyphs.levels.length
  const level = (value: number | null): string => {
    if (value === null) return ' '
    const share = highest > 0 ? Math.min(1, Math.max(0, value / highest)) : 0
    return glyphs.levels[Math.min(levels - 1, Math.floor(share * levels))]!
  }
  return shown.map(level).join('').padStart(columns)
}
