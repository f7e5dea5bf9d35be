import type {Key} from 'ink'
import type {KeyName} from '../state/keys.js'

export interface KeyPress {
  readonly key: KeyName
  /** What it types; empty for keys that type nothing. */
  readonly text: string
}

export interface MousePress {
  readonly kind: 'click' | 'wheel-up' | 'wheel-down'
  /** From 0. */
  readonly row: number
  readonly column: number
}

const NAMED = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageUp', 'pageup'],
  ['pageDown', 'pagedown'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'enter'],
  ['escape', 'escape'],
  ['backspace', 'backspace'],
  // Most terminals send this code for the key that erases backwards.
  ['delete', 'backspace'],
] as const

const F1 = ['OP', '[11~', '[[A']
const MOUSE = /^\[<(\d+);(\d+);(\d+)([Mm])$/

/** Pure: Ink's key in our words; several characters at once (a paste) type all of them. */
export function keyPress(input: string, key: Key): KeyPress | null {
  const named = NAMED.find(([name]) => key[name])
  if (named) return {key: named[1], text: ''}
  if (key.tab) return {key: key.shift ? 'shift-tab' : 'tab', text: ''}
  if (F1.includes(input)) return {key: 'f1', text: ''}
  if (key.ctrl) return input === '' ? null : {key: `ctrl-${input}`, text: ''}
  if (input === '' || (input.startsWith('[') && input.length > 1)) return null
  if (input === ' ') return {key: 'space', text: ' '}
  return {key: input, text: input}
}

/**
 * Pure: a press of the mouse; releases and other buttons are null.
 *
 * @see xterm's control sequences, "SGR (1006)": `CSI < button ; column ; row M`, from 1; 64 and 65 are the wheel
 */
export function mousePress(input: string): MousePress | null {
  const [, button, column, row, end] = MOUSE.exec(input) ?? []
  if (button === undefined || end !== 'M') return null
  const kind = ({0: 'click', 64: 'wheel-up', 65: 'wheel-down'} as const)[Number(button)]
  return kind === undefined ? null : {kind, row: Number(row) - 1, column: Number(column) - 1}
}
