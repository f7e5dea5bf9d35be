import {expect} from 'chai'
import {canColor, segmentTable, tableStyle, type TableStyle} from '../../../src/cli/table.js'
import type {OwnedLook} from '../../../src/lib/segments/index.js'
import {GIB} from '../../support/segments.js'

const look = (name: string, limitBytes: bigint, usedBytes: bigint): OwnedLook => ({
  name,
  record: {limitBytes, usedBytes, preallocBytes: 0n},
  isSettled: true,
  startupBytes: null,
  identity: {device: 1n, inode: 1n, birthNs: 1n},
  userId: 0,
  creator: null,
  isLimitOurs: true,
  state: {verdict: 'unknown', pid: null, owner: null, because: 'so it is', warnings: []},
})

const plain: TableStyle = {hasColor: false, isWide: false, columns: null}

describe('the segment table', () => {
  it("is kvcached's, character for character", () => {
    expect(segmentTable([look('kvcached_vLLM_12345', 8n * GIB, 6n * GIB)], [], plain)).to.equal(
      'IPC                             Limit         Used      %\n' +
        'kvcached_vLLM_12345           8.00 GB      6.00 GB  75.0 %',
    )
  })

  it('never cuts a name: a longer one shifts its row', () => {
    const name = 'a'.repeat(30)
    expect(segmentTable([look(name, 0n, 5n)], [], plain).split('\n')[1]).to.equal(
      `${name}       0.00 B       5.00 B   0.0 %`,
    )
  })

  it('shows a missing segment as N/A', () => {
    expect(segmentTable([], ['gone'], plain).split('\n')[1]).to.equal(
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
      const [header, row] = segmentTable([look('a', 100n, usedBytes)], [], {...plain, hasColor: true}).split(
        '\n',
      )
      expect(header).to.match(/^\u001B\[1m\u001B\[36mIPC .* %\u001B\[0m$/)
      expect(row!.startsWith(color) && row!.endsWith('\u001B[0m')).to.equal(true)
    })
  }

  it('is painted on a terminal only, and never where NO_COLOR is set, be it to nothing', () => {
    expect(canColor({isTTY: true}, {})).to.equal(true)
    expect(canColor({}, {})).to.equal(false)
    expect(canColor({isTTY: true}, {NO_COLOR: ''})).to.equal(false)
  })

  it("adds preallocated memory, state and owner to the right of kvcached's columns when wide", () => {
    const known = look('kvcached_vLLM_12345', 8n * GIB, 6n * GIB)
    const state = {...known.state, verdict: 'live', pid: 42, owner: 'VLLM::EngineCore'} as const
    const [a, b] = [{...known, state}, look('b', GIB, 0n)]
    expect(segmentTable([a, b], ['gone'], {...plain, isWide: true})).to.equal(
      'IPC                             Limit         Used      %      Prealloc  State    Owner\n' +
        'kvcached_vLLM_12345           8.00 GB      6.00 GB  75.0 %       0.00 B  live     42 VLLM::EngineCore\n' +
        'b                             1.00 GB       0.00 B   0.0 %       0.00 B  unknown\n' +
        'gone                              N/A          N/A     N/A',
    )
    const cut = segmentTable([a], [], {...plain, isWide: true, columns: 88}).split('\n')[1]
    expect(cut).to.match(/ {2}live {5}42 VLL$/)
  })

  it('is wide on terminals with room for it, or as asked', () => {
    const isWide = (stream: Parameters<typeof tableStyle>[0], wide?: boolean): boolean =>
      tableStyle(stream, {}, wide).isWide
    expect(isWide({isTTY: true, columns: 100})).to.equal(true)
    expect(isWide({isTTY: true, columns: 99})).to.equal(false)
    expect(isWide({columns: 200}), 'a pipe').to.equal(false)
    expect(isWide({}, true)).to.equal(true)
    expect(isWide({isTTY: true, columns: 100}, false)).to.equal(false)
  })
})
