import {expect} from 'chai'
import {mkdirSync, readdirSync, readlinkSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {ResourceError} from '../../../src/lib/foundation/index.js'
import {
  claimRunDirectory,
  createRunDirectory,
  openRunDirectory,
  runName,
} from '../../../src/lib/runs/index.js'
import {temporaryFolder} from '../../support/temporary.js'
import {rejection} from '../../support/rejection.js'

const STARTED = new Date(2025, 8, 12, 14, 30, 15)

describe('run directory', () => {
  const folder = temporaryFolder()

  it('is named after the local second', () => {
    expect(runName(STARTED)).to.equal('2025-09-12_14-30-15')
  })

  it('gets -2, -3 when the second is taken, and latest points at the newest', async () => {
    const root = join(folder(), 'runs')
    const runs = [
      await createRunDirectory(root, STARTED),
      await createRunDirectory(root, STARTED),
      await createRunDirectory(root, STARTED),
    ]
    expect(runs.map(run => run.runId)).to.deep.equal([
      '2025-09-12_14-30-15',
      '2025-09-12_14-30-15-2',
      '2025-09-12_14-30-15-3',
    ])
    expect(readlinkSync(join(root, 'latest'))).to.equal('2025-09-12_14-30-15-3')
    expect((await openRunDirectory(join(root, 'latest'))).runId).to.equal('2025-09-12_14-30-15-3')
  })

  it('gives every one of 50 simultaneous runs a folder of its own', async () => {
    const runs = await Promise.all(Array.from({length: 50}, () => createRunDirectory(folder(), STARTED)))
    expect(new Set(runs.map(run => run.path)).size).to.equal(50)
    expect(readdirSync(folder()).filter(name => name.endsWith('.tmp'))).to.deep.equal([])
  })

  it('leaves a real folder called latest alone', async () => {
    mkdirSync(join(folder(), 'latest'))
    writeFileSync(join(folder(), 'latest', 'kept'), '')
    await createRunDirectory(folder(), STARTED)
    expect(readdirSync(join(folder(), 'latest'))).to.deep.equal(['kept'])
  })

  it('refuses a folder that already holds a run', async () => {
    writeFileSync(join(folder(), 'meta.json'), '{}')
    const error = await rejection(claimRunDirectory(folder()))
    expect(error).to.be.instanceOf(ResourceError)
    expect(error).to.include({code: 'RUN_EXISTS', exitCode: 4})
  })

  it('says which run is missing', async () => {
    const path = join(folder(), 'no-such-run')
    const error = await rejection(openRunDirectory(path))
    expect(error).to.include({code: 'RUN_NOT_FOUND', exitCode: 4})
    expect((error as Error).message).to.contain(path)
  })

  it('says which folder cannot be made', async () => {
    writeFileSync(join(folder(), 'file'), '')
    const error = await rejection(createRunDirectory(join(folder(), 'file'), STARTED))
    expect(error).to.include({exitCode: 4})
    expect((error as Error).message).to.contain(join(folder(), 'file'))
  })
})
