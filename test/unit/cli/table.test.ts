import {expect} from 'chai'
import {canColor, segmentTable} from '../../../src/cli/table.js'
import type {SegmentLook} from '../../../src/lib/segments/index.js'
import {GIB} from '../../support/segments.js'

const look = (name: string, limitBytes: bigint, usedBytes: bigint): SegmentLook => ({
  name,
  record: {limitBytes, usedBytes, preallocBytes: 0n},
  isSettled: true,
  startupBytes: null,
  identity: {device: 1n, inode: 1n, birthNs: 1n},
})

describe('the segment table', () => {
  it("is kvcached's, character for character", () => {
    expect(segmentTable([look('kvcached_vLLM_12345', 8n * GIB, 6n * GIB)], [], false)).to.equal(
      'IPC                             Limit         Used      %\n' +
        'kvcached_vLLM_12345           8.00 GB      6.00 GB  75.0 %',
    )
  })

  it('never cuts a name: a longer one shifts its row', () => {
    const name = 'a'.repeat(30)
    expect(segmentTable([look(name, 0n, 5n)], [], false).split('\n')[1]).to.equal(
      `${name}       0.00 B       5.00 B   0.0 %`,
    )
  })

  it('shows a missing segment as N/A', () => {
    expect(segmentTable([], ['gone'], false).split('\n')[1]).to.equal(
      'gone                              N/A          N/A     N/A',
    )
  })

  for (const [usedBytes, color] of [
    [49n, '\u001B[32m'],
    [50n, '\u001B[33m'],
    [79n, '\u001B[33m'],
    [80n, '\u001B[31m'],
  ] as const) {
    it(`paints a row with ${usedBytes} % in use ${JSON.stringify(color)}`, () => {
      const [header, row] = segmentTable([look('a', 100n, usedBytes)], [], true).split('\n')
      expect(header).to.match(/^\u001B\[1m\u001B\[36mIPC .* %\u001B\[0m$/)
      expect(row!.startsWith(color) && row!.endsWith('\u001B[0m')).to.equal(true)
    })
  }

  it('is painted on a terminal only, and never where NO_COLOR is set, be it to nothing', () => {
    expect(canColor({isTTY: true}, {})).to.equal(true)
    expect(canColor({}, {})).to.equal(false)
    expect(canColor({isTTY: true}, {NO_COLOR: ''})).to.equal(false)
  })
})
