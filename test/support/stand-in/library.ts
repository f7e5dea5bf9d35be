import {execFileSync} from 'node:child_process'
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {findProgram} from '../requires.js'

/** Compiles a stand-in for a driver's library, once for each set of functions that it shall not export. */
export type StandInCompiler = (without?: readonly string[]) => string

/**
 * @param fileName what programs load
 * @param source its C source
 * @param symbols which functions it exports, as in a linker's version script
 * @param flags more for the compiler
 * @returns gives the path of the library; removed when the tests end
 */
export function standInCompiler(
  fileName: string,
  source: string,
  symbols: string,
  flags: readonly string[] = [],
): StandInCompiler {
  const libraries = new Map<string, string>()
  let builds: string | null = null
  return (without = []) => {
    const key = without.join(' ')
    const known = libraries.get(key)
    if (known !== undefined) return known
    if (builds === null) {
      const folder = (builds = mkdtempSync(join(tmpdir(), 'kvctl-driver-')))
      process.on('exit', () => rmSync(folder, {recursive: true, force: true}))
    }
    const folder = mkdtempSync(join(builds, 'driver-'))
    const library = join(folder, fileName)
    const script = join(folder, 'symbols')
    writeFileSync(script, `{ global: ${symbols}; local: ${without.map(name => `${name};`).join(' ')} *; };\n`)
    const usual = ['-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-Werror', `-Wl,--version-script=${script}`]
    execFileSync(findProgram('gcc', 'cc')!, [...usual, '-o', library, source, ...flags])
    libraries.set(key, library)
    return library
  }
}
