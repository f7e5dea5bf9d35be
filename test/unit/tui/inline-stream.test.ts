import {EventEmitter} from 'node:events'
import {expect} from 'chai'
import type {TerminalOutput} from '../../../src/tui/terminal/frame-writer.js'
import {InlineStream} from '../../../src/tui/terminal/inline-stream.js'

/** What a terminal shows of text, line ends, cursor up and erasures. */
class Paper extends EventEmitter implements TerminalOutput {
  columns = 40
  rows = 10
  writableNeedDrain = false
  lines: string[] = ['']
  #row = 0

  write(text: string): boolean {
    for (const part of text.split(/(\u001B\[[?\d;]*[A-Za-z]|\n)/)) {
      const [, number = '', command] = /^\u001B\[([?\d;]*)([A-Za-z])$/.exec(part) ?? []
      if (part === '\n') this.lines[++this.#row] ??= ''
      else if (command === 'A') this.#row -= Number(number)
      else if (command === 'K') this.lines[this.#row] = ''
      else if (command === 'J') this.lines = [...this.lines.slice(0, this.#row), '']
      else if (command === undefined) this.lines[this.#row] = `${this.lines[this.#row] ?? ''}${part}`
    }
    return true
  }
}

describe('a frame below what the terminal shows', () => {
  const open = () => {
    const paper = new Paper()
    return {paper, frames: new InlineStream(paper)}
  }

  it('is drawn over itself, longer and shorter', () => {
    const {paper, frames} = open()
    for (const frame of ['a\nb', 'a\nc\nd', 'a\nc', 'x']) {
      frames.write(frame)
      expect(paper.lines).to.deep.equal([...frame.split('\n'), ''])
    }
  })

  it('stays below lines that are told in between, and leaves only those', () => {
    const {paper, frames} = open()
    frames.note('first')
    frames.write('a\nb')
    frames.note('second')
    expect(paper.lines).to.deep.equal(['first', 'second', 'a', 'b', ''])
    frames.write('a\nc')
    expect(paper.lines).to.deep.equal(['first', 'second', 'a', 'c', ''])
    frames.close()
    frames.write('late')
    expect(paper.lines).to.deep.equal(['first', 'second', ''])
  })

  it('is cut to a terminal that is lower, so that nothing of it scrolls away', () => {
    const {paper, frames} = open()
    paper.rows = 3
    frames.write('a\nb\nc\nd')
    expect(paper.lines).to.deep.equal(['a', 'b', ''])
  })

  it('sends nothing for a frame that is the same, and skips frames of a slow terminal', () => {
    const {paper, frames} = open()
    frames.write('a')
    let sent = 0
    const write = paper.write.bind(paper)
    paper.write = text => (sent++, write(text))
    frames.write('a')
    paper.writableNeedDrain = true
    frames.write('b')
    expect([sent, paper.lines]).to.deep.equal([0, ['a', '']])
  })
})
