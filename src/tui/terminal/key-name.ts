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

const MOUSE = /^\[<(\d+);(\d+);(\d+)([Mm])$/

const CONTROL: Readonly<Record<string, KeyName>> = {
  ...{
    '\r': 'enter',
    '\n': 'enter',
    '\t': 'tab',
    '\b': 'backspace',
    '\u007F': 'backspace',
    '\u001B': 'escape',
  },
}

/** Pure: Ink's key in our words. Keys that were pressed faster than they were read, or pasted, come as one: it is taken apart. */
export function keyPresses(input: string, key: Key): KeyPress[] {
  const named = NAMED.find(([name]) => key[name])
  if (named) return [{key: named[1], text: ''}]
  if (key.tab) return [{key: key.shift ? 'shift-tab' : 'tab', text: ''}]
  if (key.ctrl) return input === '' ? [] : [{key: `ctrl-${input}`, text: ''}]
  // What is left of an escape sequence that nobody knows.
  if (input.length > 1 && input.startsWith('[')) return []
  return Array.from(input, typed)
}

function typed(character: string): KeyPress {
  const control = CONTROL[character]
  if (control !== undefined) return {key: control, text: ''}
  const code = character.charCodeAt(0)
  if (code < 0x20) return {key: `ctrl-${String.fromCharCode(code + 0x60)}`, text: ''}
  return {key: character === ' ' ? 'space' : character, text: character}
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
