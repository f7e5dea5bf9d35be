import {execFileSync} from 'node:child_process'
import {mkdtempSync, renameSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {repositoryRoot} from '../cli.js'
import {findProgram} from '../requires.js'

/** Keys and values of the stand-in's file; `stand-in.c` says what they mean. */
export type DriverFacts = Readonly<Record<string, string | number>>

export const NVML_HEADER: string = join(repositoryRoot, 'test/support/nvml/nvml-abi.h')
const SOURCE = join(repositoryRoot, 'test/support/nvml/stand-in.c')
const libraries = new Map<string, string>()
let buildFolder: string | null = null

/**
 * Compiles the stand-in for `libnvidia-ml.so.1`, once for each set of missing functions.
 *
 * @param without functions that this driver branch does not export
 * @returns its path; removed when the tests end
 */
export function standInLibrary(without: readonly string[] = []): string {
  const key = without.join(' ')
  const known = libraries.get(key)
  if (known !== undefined) return known
  if (buildFolder === null) {
    const folder = (buildFolder = mkdtempSync(join(tmpdir(), 'kvctl-nvml-')))
    process.on('exit', () => rmSync(folder, {recursive: true, force: true}))
  }
  const folder = mkdtempSync(join(buildFolder, 'driver-'))
  const library = join(folder, 'libnvidia-ml.so.1')
  const symbols = join(folder, 'symbols')
  writeFileSync(symbols, `{ global: nvml*; local: ${without.map(name => `${name};`).join(' ')} *; };\n`)
  const flags = ['-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-Werror', `-Wl,--version-script=${symbols}`]
  execFileSync(findProgram('gcc', 'cc')!, [...flags, '-o', library, SOURCE])
  libraries.set(key, library)
  return library
}

/** A stand-in driver whose facts may change while programs use it. */
export interface StandInDriver {
  readonly library: string
  /** For a program that shall find this driver. */
  readonly env: Readonly<Record<string, string>>
  /** Adds facts, or takes away those given as null. Seen by the next call into the library. */
  change(facts: Readonly<Record<string, string | number | null>>): void
}

/** @param folder a temporary one, for the file of facts */
export function standInDriver(
  folder: string,
  facts: DriverFacts,
  without: readonly string[] = [],
): StandInDriver {
  const file = join(folder, 'driver-facts')
  const current = new Map<string, string | number>()
  const library = standInLibrary(without)
  const driver: StandInDriver = {
    library,
    env: {KVCTL_NVML_PATH: library, KVCTL_TEST_NVML_FILE: file},
    change(changes) {
      for (const [key, value] of Object.entries(changes)) {
        if (value === null) current.delete(key)
        else current.set(key, value)
      }
      // Replaced at once: a reader never sees half of it.
      writeFileSync(`${file}.new`, [...current].map(([key, value]) => `${key} ${value}\n`).join(''))
      renameSync(`${file}.new`, file)
    },
  }
  driver.change(facts)
  return driver
}
