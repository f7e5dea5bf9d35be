import {appendFileSync, readFileSync, truncateSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {expect} from 'chai'
import {
  createRecordWriter,
  keepRecords,
  readGaps,
  readRequests,
  type RunDirectory,
} from '../../../src/lib/runs/index.js'
import {requestRecord} from '../../support/records.js'
import {temporaryFolder} from '../../support/temporary.js'

describe('records that a resumed run keeps', () => {
  const folder = temporaryFolder()
  const run = (): RunDirectory => ({path: folder(), runId: 'run'})
  const idsOfGaps = async (): Promise<{ids: number[]; isWhole: boolean}> => {
    const ids: number[] = []
    const {isWhole} = (await readGaps(run(), id => ids.push(id)))!
    return {ids, isWhole}
  }
  const write = async (ids: readonly number[]): Promise<void> => {
    const writer = await createRecordWriter(run(), 1000)
    await writer.append(ids.map(id => requestRecord({id, error: id === 2 ? 'two\nlines, "quoted"' : ''})))
    await writer.close()
  }

  it('are the wanted ones byte for byte, and a writer goes on behind them', async () => {
    await write([1, 2, 3, 4])
    const csv = join(folder(), 'requests.csv')
    const whole = readFileSync(csv, 'utf8')
    const kept = await keepRecords(run(), new Set([1, 2, 4]))
    const row3 = /^3,.*\n/m.exec(whole)![0]
    expect(readFileSync(csv, 'utf8')).to.equal(whole.replace(row3, ''))
    const writer = await createRecordWriter(run(), 9000, kept)
    await writer.append([requestRecord({id: 3}), requestRecord({id: 5})])
    await writer.close()
    expect([...(await readRequests(run(), 1000)).id]).to.deep.equal([1, 2, 4, 3, 5])
    expect(await idsOfGaps()).to.deep.equal({ids: [1, 2, 4, 3, 5], isWhole: true})
  })

  it('drop a torn row, a torn frame and gaps without a row', async () => {
    await write([1, 2, 3])
    const [csv, gaps] = [join(folder(), 'requests.csv'), join(folder(), 'gaps.bin')]
    // The third row lost its line break; behind the index a frame begins that is not whole.
    truncateSync(csv, readFileSync(csv).length - 1)
    appendFileSync(gaps, Buffer.from([4, 0, 0, 0, 9, 0]))
    const table = await readRequests(run(), 1000)
    expect({ids: [...table.id], torn: table.tornRows}).to.deep.equal({ids: [1, 2], torn: 1})
    const kept = await keepRecords(run(), new Set(table.id))
    expect(kept.frames.map(({id}) => id)).to.deep.equal([1, 2])
    expect(readFileSync(gaps).length).to.equal(kept.gapsBytes)
    expect((await readRequests(run(), 1000)).tornRows).to.equal(0)
  })

  it('are one of each when a file holds an id twice', async () => {
    await write([1, 2, 1])
    await keepRecords(run(), new Set([1, 2]))
    expect([...(await readRequests(run(), 1000)).id]).to.deep.equal([1, 2])
    expect((await idsOfGaps()).ids).to.deep.equal([1, 2])
  })

  it('are none when the run was killed before its first record, or in the middle of its header', async () => {
    expect(await keepRecords(run(), new Set())).to.deep.equal({frames: [], gapsBytes: 16})
    expect((await readRequests(run(), null)).count).to.equal(0)
    writeFileSync(join(folder(), 'requests.csv'), 'id,sched')
    await keepRecords(run(), new Set())
    expect((await readRequests(run(), null)).count).to.equal(0)
  })
})
