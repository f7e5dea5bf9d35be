import {accessSync, constants} from 'node:fs'
import {delimiter, join} from 'node:path'

/** Finds a program on PATH as a shell would, without starting one. */
export function findProgram(...names: string[]): string | null {
  for (const name of names) {
    for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
      try {
        accessSync(join(folder, name), constants.X_OK)
        return join(folder, name)
      } catch {
        // not in this folder
      }
    }
  }
  return null
}

/**
 * `describe` for tests that need programs beyond Node and npm. Without one of them the suite is skipped and says so in its
 * title; with `KVCTL_TEST_REQUIRE=all` (CI) a missing program is a failure.
 *
 * @param programs names, alternatives separated by `|`
 */
export function describeWith(programs: string[], title: string, suite: () => void): void {
  const missing = programs.filter(names => findProgram(...names.split('|')) === null)
  if (missing.length === 0) {
    describe(title, suite)
    return
  }
  const reason = `needs ${missing.join(', ')}, not installed here`
  if (process.env['KVCTL_TEST_REQUIRE'] === 'all') {
    describe(title, () => {
      it(`has what it needs: ${missing.join(', ')}`, () => {
        throw new Error(reason)
      })
    })
    return
  }
  describe.skip(`${title} (skipped: ${reason})`, suite)
}
