import {expect} from 'chai'
import {createRecordWriter, keepRecords, metaSchema, readRequests} from '../../../src/lib/runs/index.js'
import {requestRecord} from '../../support/records.js'
import {temporaryFolder} from '../../support/temporary.js'

describe('the clock of a resumed run', () => {
  const folder = temporaryFolder()

  it('leaves out the time between the parts, even when the wall clock was set back', async () => {
    const run = {path: folder(), runId: 'run'}
    const first = await createRecordWriter(run, 1_000_000)
    await first.append([requestRecord({id: 1}), requestRecord({id: 2})])
    await first.close()
    // The second part began an hour earlier by the wall clock, after 165 ms of the run.
    const second = await createRecordWriter(
      run,
      1_000_000 - 3_600_000,
      await keepRecords(run, new Set([1, 2])),
    )
    await second.append([requestRecord({id: 3})])
    await second.close()
    const {parts} = metaSchema.parse({
      parts: [
        {origin_epoch_ms: 1_000_000, run_ms: 0, rows_before: 0},
        {origin_epoch_ms: 1_000_000 - 3_600_000, run_ms: 165, rows_before: 2},
      ],
    })
    const table = await readRequests(run, 1_000_000, parts)
    // Every record was sent 10 ms after its part's origin and done at 165 ms.
    expect([...table.sentAtUs]).to.deep.equal([10_000, 10_000, 165_000 + 10_000])
    expect([...table.doneAtUs]).to.deep.equal([165_000, 165_000, 165_000 + 165_000])
    expect(table.epochMs(10)).to.equal(1_000_000 + 10)
    expect(table.epochMs(175)).to.equal(1_000_000 - 3_600_000 + 10)
    const [one, other] = [1_000_000, 1_000_000 - 3_600_000]
    expect(table.wallSpans(10, 330)).to.deep.equal([
      {fromMs: one + 10, toMs: one + 165, runMs: 10},
      {fromMs: other, toMs: other + 165, runMs: 165},
    ])
    expect(table.wallSpans(200, 300)).to.deep.equal([{fromMs: other + 35, toMs: other + 135, runMs: 200}])
    const whole = await readRequests(run, 1_000_000, [])
    expect(whole.wallSpans(-5, 20)).to.deep.equal([{fromMs: one - 5, toMs: one + 20, runMs: -5}])
  })
})
