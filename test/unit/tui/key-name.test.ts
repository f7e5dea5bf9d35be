import {expect} from 'chai'
import type {Key} from 'ink'
import {keyPresses, mousePress} from '../../../src/tui/terminal/key-name.js'

const key = (pressed: Partial<Key> = {}): Key => ({
  ...{upArrow: false, downArrow: false, leftArrow: false, rightArrow: false, pageDown: false, pageUp: false},
  ...{home: false, end: false, return: false, escape: false, ctrl: false, shift: false, tab: false},
  ...{
    backspace: false,
    delete: false,
    meta: false,
    super: false,
    hyper: false,
    capsLock: false,
    numLock: false,
  },
  ...pressed,
})
const names = (input: string, pressed: Partial<Key> = {}): string[] =>
  keyPresses(input, key(pressed)).map(({key}) => key)

describe('keys of a terminal', () => {
  it('have the names of the key table', () => {
    expect(names('', {upArrow: true})).to.deep.equal(['up'])
    expect(names('', {return: true})).to.deep.equal(['enter'])
    expect(names('', {tab: true, shift: true})).to.deep.equal(['shift-tab'])
    expect(names('c', {ctrl: true})).to.deep.equal(['ctrl-c'])
    expect(names(' ')).to.deep.equal(['space'])
    expect(names('?')).to.deep.equal(['?'])
  })

  it('are taken apart when several come at once', () => {
    expect(names('jl')).to.deep.equal(['j', 'l'])
    expect(names('8 G\r')).to.deep.equal(['8', 'space', 'G', 'enter'])
    expect(names('a\u007F\u0015\u0003')).to.deep.equal(['a', 'backspace', 'ctrl-u', 'ctrl-c'])
    expect(keyPresses('é模', key()).map(({text}) => text)).to.deep.equal(['é', '模'])
  })

  it('that are unknown type nothing', () => {
    expect(names('[1;5A')).to.deep.equal([])
    expect(names('')).to.deep.equal([])
  })
})

describe('the mouse of a terminal', () => {
  it('clicks and scrolls, counted from 0', () => {
    expect(mousePress('[<0;10;5M')).to.deep.equal({kind: 'click', row: 4, column: 9})
    expect(mousePress('[<64;1;1M')).to.deep.include({kind: 'wheel-up'})
    expect(mousePress('[<65;1;1M')).to.deep.include({kind: 'wheel-down'})
  })

  it('does nothing when a button is let go, or is another one', () => {
    for (const input of ['[<0;10;5m', '[<2;10;5M', 'x', '[A']) expect(mousePress(input)).to.equal(null)
  })
})
