import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {expect} from 'chai'
import {repositoryRoot} from './cli.js'

/**
 * Compares a text with a file below `test/golden`, which a person has looked at and found right. With
 * `KVCTL_UPDATE_SNAPSHOTS=1` the file is written instead: look at the difference before you keep it.
 */
export function expectGolden(name: string, text: string): void {
  const path = join(repositoryRoot, 'test/golden', name)
  if (process.env['KVCTL_UPDATE_SNAPSHOTS']) {
    mkdirSync(dirname(path), {recursive: true})
    writeFileSync(path, `${text}\n`)
  }
  expect(existsSync(path), `${name} exists`).to.equal(true)
  expect(`${text}\n`).to.equal(readFileSync(path, 'utf8'))
}
