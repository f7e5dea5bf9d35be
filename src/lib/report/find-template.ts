import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {ConfigurationError, isSystemError, packageRoot} from '../foundation/index.js'

/** The page that is no template but drawn by kvctl itself. */
export const BUILT_IN = 'detailed'
const NAMES = [BUILT_IN, 'summary'] as const

/** A template's text; null is the page that kvctl draws itself. */
export interface FoundTemplate {
  readonly source: string
  readonly text: string | null
}

/**
 * Finds a template by file, by name (`summary`, `detailed`), or by the path that kserve-vllm-mini documents
 * (`templates/detailed.html`), which means the shipped one where there is no such file.
 *
 * @throws ConfigurationError `TEMPLATE_NOT_FOUND`
 */
export async function findTemplate(nameOrPath: string): Promise<FoundTemplate> {
  const own = await textOf(nameOrPath)
  if (own !== null) return {source: nameOrPath, text: own}
  const name = /^(?:(?:\.\/)?templates\/)?([a-z]+)(?:\.html)?$/.exec(nameOrPath)?.[1]
  if (name === BUILT_IN) return {source: name, text: null}
  if (name === 'summary')
    return {source: name, text: await textOf(join(packageRoot, 'templates', 'summary.html'))}
  throw new ConfigurationError('TEMPLATE_NOT_FOUND', `there is no template ${nameOrPath}`, {
    suggestions: [`one of ${NAMES.join(', ')}, or the path of an HTML file`],
  })
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'EISDIR', 'ENOTDIR')) return null
    throw error
  }
}
