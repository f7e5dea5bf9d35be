import {expect} from 'chai'
import {createRedraw, fitLines} from '../../../src/cli/redraw.js'
import {FakeTerminal} from '../../support/terminal.js'

describe('what is drawn over itself', () => {
  it('is as high as the terminal, with the number of lines that are left out', () => {
    expect(fitLines(['a', 'b', 'c'], 4)).to.deep.equal(['a', 'b', 'c'])
    expect(fitLines(['a', 'b', 'c'], 3)).to.deep.equal(['a', '+2 more'])
    expect(fitLines(['a', 'b'], 1)).to.deep.equal(['+2 more'])
  })

  it('hides the cursor while it lasts, redraws at a new size, and never clears the screen to do so', () => {
    const terminal = new FakeTerminal(40, 5)
    const redraw = createRedraw(terminal as unknown as NodeJS.WriteStream)
    redraw.show('one\ntwo')
    const first = terminal.written.length
    redraw.show('one\n2')
    const second = terminal.written.slice(first)
    expect(second).to.contain('\u001B[Hone\u001B[K\n2\u001B[K\n\u001B[J')
    expect(second).to.not.contain('\u001B[2J')
    const before = terminal.written.length
    terminal.emit('resize')
    expect(terminal.written.slice(before)).to.contain('one')
    redraw.end()
    expect(terminal.written.startsWith('\u001B[?25l')).to.equal(true)
    expect(terminal.written.endsWith('\u001B[?25h')).to.equal(true)
    expect(terminal.listenerCount('resize')).to.equal(0)
  })
})
