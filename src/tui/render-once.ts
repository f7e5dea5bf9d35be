import type {MonitorLook} from '../lib/monitor/index.js'
import {drawFrame, type FrameFacts} from './draw/frame.js'
import type {Glyphs} from './draw/glyphs.js'
import {paint} from './draw/paint.js'
import {reduce} from './state/reduce.js'
import {FIRST_STATE} from './state/state.js'

/** One look as text, as high as it needs to be: nothing is left out. @returns lines without a trailing newline */
export function renderOnce(
  look: MonitorLook,
  columns: number,
  glyphs: Glyphs,
  hasColor: boolean,
  facts: FrameFacts,
): string {
  const state = reduce(FIRST_STATE, {kind: 'look', look})
  const {lines} = drawFrame(state, {columns, rows: Infinity}, glyphs, facts)
  // The last line tells of keys, which nobody can press here.
  const shown = lines.slice(0, -1).map(line => paint(line, columns, hasColor, glyphs.ellipsis))
  return shown.join('\n')
}
