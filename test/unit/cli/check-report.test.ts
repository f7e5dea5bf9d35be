import {expect} from 'chai'
import {checkReport} from '../../../src/cli/check-report.js'
import {doctorJson} from '../../../src/lib/doctor/index.js'

const REPORT = doctorJson([
  {name: 'node', status: 'ok', detail: 'Node 24.1.0', fix: null},
  {
    name: 'shared-memory',
    status: 'fail',
    detail: 'one two three four five six seven eight nine',
    fix: 'do this and that',
  },
])

describe('the report of doctor', () => {
  it('is a line a finding, its fix below it, and the counts', () => {
    expect(checkReport(REPORT, false, null).split('\n')).to.deep.equal([
      'ok       node           Node 24.1.0',
      'fail     shared-memory  one two three four five six seven eight nine',
      '                        → do this and that',
      '',
      '1 ok, 0 warnings, 1 failure, 0 skipped',
    ])
  })

  it('breaks lines on a terminal that has room for text, and colours the verdict', () => {
    const lines = checkReport(REPORT, true, 64).split('\n')
    expect(lines.slice(1, 3)).to.deep.equal([
      '\u001B[31mfail   \u001B[0m  shared-memory  one two three four five six seven',
      '                        eight nine',
    ])
    expect(checkReport(REPORT, false, 50)).to.equal(checkReport(REPORT, false, null))
  })
})
