import {readFile, stat} from 'node:fs/promises'
import {isNode, LineCounter, parseDocument, type Document} from 'yaml'
import * as z from 'zod'
import {ConfigurationError, isSystemError} from '../foundation/index.js'

const MAX_BYTES = 1 << 20
const MAX_ALIASES = 100

export type YamlPath = readonly PropertyKey[]

/** A parsed file that still knows where everything stood. */
export interface YamlFile {
  /** As the user named it; errors begin with it. */
  readonly source: string
  readonly value: unknown
  /** 1-based line of the value at `path`, else of the nearest parent that exists. */
  lineOf(path: YamlPath): number
}

/**
 * Reads one YAML document: at most 1 MiB, 100 aliases, no duplicate keys, no tags of programming languages.
 *
 * @throws ConfigurationError `CONFIG_UNREADABLE`, `YAML_INVALID` (`file:line: why`)
 */
export async function readYamlFile(path: string): Promise<YamlFile> {
  try {
    const {size} = await stat(path)
    if (size > MAX_BYTES) throw unreadable(path, `has ${size} bytes; ${MAX_BYTES} are the most`)
    return parseYaml(await readFile(path, 'utf8'), path)
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) throw unreadable(path, 'does not exist')
    if (isSystemError(error, 'EISDIR', 'EACCES', 'ENOTDIR'))
      throw unreadable(path, `cannot be read (${String(error.code)})`)
    throw error
  }
}

/** `readYamlFile` on text at hand. */
export function parseYaml(text: string, source: string): YamlFile {
  const lines = new LineCounter()
  const document = parseDocument(text, {lineCounter: lines, prettyErrors: false})
  const [problem] = [...document.errors, ...document.warnings]
  if (problem) throw invalid(source, lines.linePos(problem.pos[0]).line, firstLine(problem.message))
  const lineOf = (path: YamlPath): number => lines.linePos(startOf(document, path)).line
  try {
    return {source, value: document.toJS({maxAliasCount: MAX_ALIASES}) as unknown, lineOf}
  } catch (error) {
    throw invalid(source, 1, firstLine((error as Error).message))
  }
}

/**
 * Checks a file against a schema; every problem is one line of the message, at the line where it stands.
 *
 * @throws ConfigurationError with the given code
 */
export function checkYaml<S extends z.ZodType>(file: YamlFile, schema: S, code: string): z.output<S> {
  const {success, data, error} = schema.safeParse(file.value)
  if (success) return data
  const problems = error.issues.map(issue => {
    const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]!] : issue.path
    return `${file.source}:${file.lineOf(path)}: ${path.length === 0 ? '' : `${path.join('.')}: `}${lowerFirst(issue.message)}`
  })
  throw new ConfigurationError(code, problems.join('\n'))
}

function startOf(document: Document, path: YamlPath): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return 0
}

function unreadable(path: string, why: string): ConfigurationError {
  return new ConfigurationError('CONFIG_UNREADABLE', `${path} ${why}`)
}

function invalid(source: string, line: number, why: string): ConfigurationError {
  return new ConfigurationError('YAML_INVALID', `${source}:${line}: ${lowerFirst(why)}`)
}

function firstLine(text: string): string {
  return text.split('\n')[0]!
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
