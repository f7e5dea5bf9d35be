import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {expect} from 'chai'
import {fileVersion, watchConfig} from '../../../src/cli/config-watch.js'
import {until} from '../../support/until.js'

describe('watchConfig', () => {
  let folder = ''
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'kvctl-watch-'))))
  afterEach(() => rmSync(folder, {recursive: true, force: true}))

  it('calls back once for a change that was asked for too, and whenever it is asked', async () => {
    const path = join(folder, 'serve.yaml')
    writeFileSync(path, 'port: 1\n')
    let calls = 0
    const watch = watchConfig(path, await fileVersion(path), () => calls++)
    try {
      rmSync(path)
      writeFileSync(path, 'port: 2\n')
      watch.askedFor()
      await until(
        () => calls === 1,
        () => `${calls} calls`,
      )
      // Two more looks.
      await new Promise(resolve => setTimeout(resolve, 1100))
      expect(calls).to.equal(1)
      watch.askedFor()
      await until(
        () => calls === 2,
        () => `${calls} calls, though asked`,
      )
      writeFileSync(path, 'port: 3\n')
      await until(
        () => calls === 3,
        () => `${calls} calls, though it changed`,
      )
    } finally {
      watch.stop()
    }
  })
})
