import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

/** A fresh folder for each test of the surrounding `describe`, removed after it; call the result to get its path. */
export function temporaryFolder(): () => string {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kvctl-test-'))
  })
  afterEach(() => {
    // Programs that end behind this, in hooks of the test's own, may still write into it.
    rmSync(folder, {recursive: true, force: true, maxRetries: 10, retryDelay: 20})
  })
  return () => folder
}
