import {execFileSync} from 'node:child_process'
import {existsSync} from 'node:fs'
import {join, relative} from 'node:path'
import {fileURLToPath} from 'node:url'
import {repositoryRoot} from './cli.js'

/** A row of a document whose last column names the tests that show what the others say. */
export interface TestedRow {
  /** The level-two heading above. */
  readonly section: string
  readonly item: string
  /** The cell before the last one. */
  readonly says: string
  readonly tests: readonly TestReference[]
}

export interface TestReference {
  readonly file: string
  /** `it` title, after as many `describe` titles as the author wanted, joined by ` › `. */
  readonly title: string
}

const REFERENCE = /^`(test\/[^`]+\.test\.ts)` › (.+)$/

/**
 * Reads the tables of a document. A test cell holds `` `file` › title ``, several of them apart by `<br>`, a `|` within a
 * title as `\|`.
 *
 * @param columns the four headings
 * @throws Error on a row of another form, with its line
 */
export function parseTestedTables(text: string, columns: readonly string[]): TestedRow[] {
  let section = ''
  const rows: TestedRow[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const heading = /^## (.+)$/.exec(line)
    if (heading) section = heading[1]!
    if (!line.startsWith('|') || /^\|(-+\|)+$/.test(line)) continue
    const cells = line
      .slice(1, line.lastIndexOf('|'))
      .split(/(?<!\\)\|/)
      .map(cell => cell.trim().replaceAll('\\|', '|'))
    if (cells.join() === columns.join()) continue
    const [item, , says, test] = cells
    if (cells.length !== 4 || !item || !says || test === undefined)
      throw new Error(`line ${index + 1} is no row of ${columns.join(', ')}: ${line}`)
    rows.push({section, item, says, tests: references(test, index + 1)})
  }
  return rows
}

function references(cell: string, line: number): TestReference[] {
  if (cell === '') return []
  return cell.split('<br>').map(text => {
    const match = REFERENCE.exec(text.trim())
    if (!match) throw new Error(`line ${line} names no test: ${text}`)
    return {file: match[1]!, title: match[2]!}
  })
}

/** Titles from the outermost `describe` to the `it`, of each test of a file. */
export type TestTitles = ReadonlyMap<string, readonly (readonly string[])[]>

/** The tests that rows name and that do not exist, one sentence each. */
export function missingTests(rows: readonly TestedRow[], titles: TestTitles): string[] {
  return rows.flatMap(({item, tests}) =>
    tests.flatMap(({file, title}) => {
      const known = titles.get(file)
      if (!known) return [`${item}: there is no ${file}`]
      const isThere = known.some(path => path.some((_, from) => path.slice(from).join(' › ') === title))
      return isThere ? [] : [`${item}: ${file} has no test '${title}'`]
    }),
  )
}

/**
 * What is wrong with the verdicts of a compatibility table: a word that is none, a delivered item without a test, an item
 * that is not delivered and has one.
 */
export function wrongVerdicts(rows: readonly TestedRow[]): string[] {
  return rows.flatMap(({item, says, tests}) => {
    if (!/^(same( \+ .+|[,;] .+)?|differs: .+|not yet(: .+)?)$/.test(says))
      return [`${item}: '${says}' is neither same, nor differs: why, nor not yet`]
    const isDelivered = !says.startsWith('not yet')
    if (isDelivered && tests.length === 0) return [`${item}: no test is named`]
    return !isDelivered && tests.length > 0 ? [`${item}: not yet, but has a test`] : []
  })
}

/** The tests of those files that exist, asked of mocha itself: titles made of templates are there as they run. */
export function testTitles(rows: readonly TestedRow[]): TestTitles {
  const files = new Set(rows.flatMap(({tests}) => tests.map(({file}) => file)))
  const there = [...files].filter(file => existsSync(join(repositoryRoot, file)))
  const titles = new Map<string, string[][]>(there.map(file => [file, []]))
  const compiled = there.map(file => join(repositoryRoot, 'build', file.replace(/\.ts$/, '.js')))
  const lines = execFileSync(
    process.execPath,
    [fileURLToPath(new URL('list-tests.js', import.meta.url)), ...compiled],
    // A suite that lacks its program must still list its tests.
    {encoding: 'utf8', env: {...process.env, KVCTL_TEST_REQUIRE: ''}, maxBuffer: 2 ** 26},
  )
  for (const line of lines.split('\n').filter(Boolean)) {
    const {file, path} = JSON.parse(line) as {file: string; path: string[]}
    titles.get(relative(join(repositoryRoot, 'build'), file).replace(/\.js$/, '.ts'))?.push(path)
  }
  return titles
}
