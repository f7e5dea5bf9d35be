import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {expect} from 'chai'
import {readGaps, readRequests} from '../../../src/lib/runs/index.js'
import {temporaryFolder} from '../../support/temporary.js'

const WRITER = `
  const [runs, records, path] = process.argv.slice(1)
  const {createRecordWriter} = await import(runs)
  const {requestRecord} = await import(records)
  const writer = await createRecordWriter({path, runId: 'run'}, 0)
  for (let id = 1; ; id += 50) {
    await writer.append(Array.from({length: 50}, (_, index) => requestRecord({id: id + index})))
    console.log(id + 49)
  }
`

describe('a run whose process was killed', () => {
  const folder = temporaryFolder()

  it('still has every record that was appended, and the gaps of every row', async () => {
    const modules = ['../../../src/lib/runs/index.js', '../../support/records.js'].map(path =>
      import.meta.resolve(path),
    )
    const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, ...modules, folder()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let appended = 0
    for await (const line of createInterface(child.stdout)) {
      appended = Number(line)
      if (appended >= 2000) break
    }
    child.kill('SIGKILL')
    await once(child, 'close')
    const table = await readRequests({path: folder(), runId: 'run'}, 0)
    expect(table.count).to.be.at.least(appended)
    const withGaps = new Set<number>()
    const summary = await readGaps({path: folder(), runId: 'run'}, (id, gapsUs) => {
      expect([...gapsUs]).to.deep.equal([20_000, 30_000])
      withGaps.add(id)
    })
    expect(summary?.isWhole, join(folder(), 'gaps.bin')).to.equal(false)
    expect([...table.id].filter(id => !withGaps.has(id))).to.deep.equal([])
  })
})
