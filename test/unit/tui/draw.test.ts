import {expect} from 'chai'
import {bar} from '../../../src/tui/draw/bar.js'
import {placeColumns, type Column} from '../../../src/tui/draw/columns.js'
import {shortPercent, shortSize} from '../../../src/tui/draw/format.js'
import {ASCII, canShowUnicode, UNICODE} from '../../../src/tui/draw/glyphs.js'
import {line, span} from '../../../src/tui/draw/line.js'
import {paint} from '../../../src/tui/draw/paint.js'
import {shareLines} from '../../../src/tui/draw/share-lines.js'
import {sparkline} from '../../../src/tui/draw/sparkline.js'
import {windowAround} from '../../../src/tui/draw/table-lines.js'
import {cut, printable, widthOf} from '../../../src/tui/draw/text.js'

const drawn = (
  usedBytes: number,
  reserveBytes: number,
  totalBytes: number | null,
  columns: number,
  glyphs = ASCII,
): string =>
  bar({usedBytes, reserveBytes, totalBytes}, columns, glyphs, 'good')
    .map(({text}) => text)
    .join('')

describe('a bar', () => {
  it('gives used, reserved and free memory their shares of the cells', () => {
    expect(drawn(50, 20, 100, 12)).to.equal('[#####==---]')
  })

  it('shows a cell of anything above nothing, and a free one until all is taken', () => {
    expect(drawn(1, 1, 100_000, 12)).to.equal('[#=--------]')
    expect(drawn(99_999, 0, 100_000, 12)).to.equal('[#########-]')
    expect(drawn(90_000, 10_000, 100_000, 12)).to.equal('[#########=]')
    expect(drawn(200, 50, 100, 12)).to.equal('[#########=]')
    expect(drawn(200, 0, 100, 12)).to.equal('[##########]')
  })

  it('fills its last used cell by eighths where the terminal can show them', () => {
    expect(drawn(50, 20, 100, 12, UNICODE)).to.equal('▕█████▒▒···▏')
    expect(drawn(55, 0, 100, 12, UNICODE)).to.equal('▕█████▌····▏')
    expect(drawn(55, 20, 100, 12, UNICODE)).to.equal('▕█████▌▒▒··▏')
    expect(drawn(1, 0, 100_000, 12, UNICODE)).to.equal('▕▏·········▏')
    expect(drawn(99_999, 0, 100_000, 12, UNICODE)).to.equal('▕█████████·▏')
    expect(drawn(99_999, 1, 100_000, 12, UNICODE)).to.equal('▕█████████▒▏')
    expect(drawn(200, 0, 100, 12, UNICODE)).to.equal('▕██████████▏')
    expect(drawn(1, 1, 100_000, 12, UNICODE)).to.equal('▕▏▒········▏')
  })

  it('is empty without a total, and survives having no room', () => {
    expect(drawn(5, 5, null, 6)).to.equal('[----]')
    expect(drawn(5, 5, 10, 2)).to.equal('[]')
    expect(drawn(5, 5, 10, 0)).to.equal('[]')
    expect(drawn(0, 0, 10, 3)).to.equal('[-]')
  })
})

describe('a sparkline', () => {
  it('shows the newest values on the right, unknown ones as blanks', () => {
    expect(sparkline([0, 50, null, 100], 6, UNICODE, 100)).to.equal('  ▁▅ █')
    expect(sparkline([100, 0, 13, 100], 3, ASCII, 100)).to.equal('_.#')
  })

  it('takes its highest value for the top where none is given', () => {
    expect(sparkline([1, 2, 4], 3, UNICODE, null)).to.equal('▃▅█')
    expect(sparkline([0, 0], 2, UNICODE, null)).to.equal('▁▁')
    expect(sparkline([], 2, UNICODE, null)).to.equal('  ')
  })
})

describe('figures on the screen', () => {
  it('have three digits and a unit of 1024', () => {
    const sizes = [
      null,
      0,
      1023,
      1024,
      792 * 2 ** 20,
      11 * 2 ** 30,
      1023.6 * 2 ** 20,
      9.996 * 2 ** 30,
      2 ** 62,
    ]
    expect(sizes.map(shortSize)).to.deep.equal([
      '-',
      '0 B',
      '1023 B',
      '1.00 KB',
      '792 MB',
      '11.0 GB',
      '1.00 GB',
      '10.0 GB',
      '4.00 EB',
    ])
  })

  it('are percentages with one decimal, or none when they are absurd', () => {
    expect([null, 0, 29.44, 100, 1234.5].map(shortPercent)).to.deep.equal([
      '-',
      '0.0%',
      '29.4%',
      '100.0%',
      '1235%',
    ])
  })
})

describe('columns', () => {
  const column = (
    id: string,
    rank: number,
    minColumns: number,
    maxColumns?: number,
    isText?: boolean,
  ): Column => ({
    ...{id, rank, minColumns, title: id, align: 'left'},
    ...(maxColumns !== undefined && {maxColumns}),
    ...(isText !== undefined && {isText}),
  })
  const placed = (columns: Column[], room: number): string =>
    placeColumns(columns, room)
      .map(({id, width}) => `${id}${width}`)
      .join(' ')

  it('are dropped by rank where there is no room, and keep their order', () => {
    const columns = [column('a', 2, 5), column('b', 0, 5), column('c', 1, 5)]
    expect(placed(columns, 17)).to.equal('a5 b5 c5')
    expect(placed(columns, 16)).to.equal('b5 c5')
    expect(placed(columns, 5)).to.equal('b5')
    expect(placed(columns, 4)).to.equal('')
  })

  it('grow where there is room: names to their length, then the others alike', () => {
    const columns = [column('name', 0, 4, 10, true), column('bar', 1, 4, 20), column('spark', 2, 4, 20)]
    expect(placed(columns, 14)).to.equal('name4 bar4 spark4')
    expect(placed(columns, 20)).to.equal('name10 bar4 spark4')
    expect(placed(columns, 30)).to.equal('name10 bar9 spark9')
    expect(placed(columns, 300)).to.equal('name10 bar20 spark20')
  })
})

describe('lines of several tables', () => {
  it('give each its least first, then share the rest, and leave over what nobody wants', () => {
    expect(shareLines([10, 10], 20, 3)).to.deep.equal([10, 10])
    expect(shareLines([10, 2], 9, 3)).to.deep.equal([7, 2])
    expect(shareLines([50, 9, 2], 8, 3)).to.deep.equal([3, 3, 2])
    expect(shareLines([50, 50, 50], 4, 3)).to.deep.equal([4, 0, 0])
    expect(shareLines([2, 2], 100, 3)).to.deep.equal([2, 2])
    expect(shareLines([2], 0, 3)).to.deep.equal([0])
  })

  it('show the rows around the selected one, and one line for the number of the others', () => {
    expect(windowAround(0, 5, 5)).to.deep.equal({from: 0, to: 5, more: false})
    expect(windowAround(0, 50, 10)).to.deep.equal({from: 0, to: 9, more: true})
    expect(windowAround(25, 50, 10)).to.deep.equal({from: 21, to: 30, more: true})
    expect(windowAround(49, 50, 10)).to.deep.equal({from: 41, to: 50, more: true})
    expect(windowAround(3, 5, 1)).to.deep.equal({from: 3, to: 3, more: true})
  })
})

describe('text on the screen', () => {
  it('is measured and cut by what it takes on a terminal', () => {
    expect(widthOf('模型')).to.equal(4)
    expect(cut('模型-7b', 4, '…')).to.equal('模…')
    expect(cut('abc', 3, '…')).to.equal('abc')
    expect(cut('abcd', 3, '~')).to.equal('ab~')
    expect(cut('abcd', 0, '~')).to.equal('')
  })

  it('cannot steer the terminal', () => {
    expect(printable('a\u001B[2Jb\nc\u202Ed')).to.equal('a?[2Jb?c?d')
  })

  it('is never wider than the screen, in colour, without, and selected', () => {
    const wide = line(span('name', 'strong'), span(' and more', 'good'))
    expect(paint(wide, 6, false, '~')).to.equal('name ~')
    expect(paint(wide, 6, true, '~')).to.equal('\u001B[1mname\u001B[0m\u001B[32m ~\u001B[0m')
    expect(paint({...wide, isSelected: true}, 15, true, '~')).to.equal('\u001B[7mname and more  \u001B[0m')
  })

  it('is ASCII where the locale has nothing else', () => {
    expect(canShowUnicode({LANG: 'en_US.UTF-8'})).to.equal(true)
    expect(canShowUnicode({LANG: 'en_US.UTF-8', LC_ALL: 'C'})).to.equal(false)
    expect(canShowUnicode({LANG: 'en_US.UTF-8', TERM: 'linux'})).to.equal(false)
    expect(canShowUnicode({})).to.equal(false)
  })
})
