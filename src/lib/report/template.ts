import {ConfigurationError} from '../foundation/index.js'
import {escapeHtml} from './html.js'

/**
 * The language of report templates: plain HTML with `{{path.to.key}}` (escaped, `N/A` where there is none), `{{{charts.name}}}` for
 * drawings of ours, `{{#if path}}…{{else}}…{{/if}}` and `{{#each path}}…{{/each}}`, in which `{{this}}`, `{{@key}}` and the keys of
 * the item can be named. Nothing is ever run.
 */
type Node =
  | {readonly kind: 'text'; readonly text: string}
  | {readonly kind: 'value'; readonly path: string}
  | {readonly kind: 'raw'; readonly path: string}
  | {
      readonly kind: 'if'
      readonly path: string
      readonly body: readonly Node[]
      readonly otherwise: readonly Node[]
    }
  | {readonly kind: 'each'; readonly path: string; readonly body: readonly Node[]}

interface Token {
  readonly kind: 'text' | 'tag' | 'raw'
  readonly text: string
  readonly line: number
}

/** What a template is filled with. */
export interface TemplateFill {
  readonly values: Readonly<Record<string, unknown>>
  /** Markup of our own making, by name, such as `charts.latency`. */
  readonly markup: ReadonlyMap<string, string>
}

const PATH = /^(?:this|@key|[\w$-]+)(?:\.[\w$-]+)*$/
const DEEPEST = 16

/**
 * @param source names the template in messages
 * @throws ConfigurationError `TEMPLATE_INVALID` with the line
 */
export function renderTemplate(template: string, source: string, {values, markup}: TemplateFill): string {
  const problem = (line: number, why: string): ConfigurationError =>
    new ConfigurationError('TEMPLATE_INVALID', `${source}:${line}: ${why}`)
  const tokens = tokensOf(template)
  let at = 0

  const readPath = (text: string, line: number): string => {
    if (PATH.test(text)) return text
    throw problem(line, `'${text}' is no path of keys`)
  }
  /** Up to the tag that ends the block. */
  const parse = (ends: readonly string[], depth: number, opened: number): [nodes: Node[], end: string] => {
    if (depth > DEEPEST) throw problem(opened, `blocks stand more than ${DEEPEST} deep in each other`)
    const nodes: Node[] = []
    for (;;) {
      const token = tokens[at++]
      if (token === undefined) {
        if (ends.length === 0) return [nodes, '']
        throw problem(opened, `a block is not closed by {{${ends.at(-1)!}}}`)
      }
      const {kind, text, line} = token
      const [, block, path = ''] = /^#(if|each)\s+(\S+)$/.exec(text) ?? []
      if (kind === 'text') nodes.push({kind, text})
      else if (kind === 'raw') {
        if (!markup.has(text))
          throw problem(line, `{{{${text}}}} is none of ${[...markup.keys()].join(', ')}`)
        nodes.push({kind, path: text})
      } else if (ends.includes(text)) return [nodes, text]
      else if (block === 'if') {
        const [body, end] = parse(['else', '/if'], depth + 1, line)
        const otherwise = end === 'else' ? parse(['/if'], depth + 1, line)[0] : []
        nodes.push({kind: 'if', path: readPath(path, line), body, otherwise})
      } else if (block === 'each') {
        nodes.push({kind: 'each', path: readPath(path, line), body: parse(['/each'], depth + 1, line)[0]})
      } else if (/^[#/]|^else$/.test(text)) throw problem(line, `{{${text}}} has no place here`)
      else nodes.push({kind: 'value', path: readPath(text, line)})
    }
  }
  const [nodes] = parse([], 0, 1)
  return write(nodes, [values], markup)
}

function tokensOf(template: string): Token[] {
  const tokens: Token[] = []
  let [end, line] = [0, 1]
  const add = (kind: Token['kind'], text: string): void => {
    if (text !== '' || kind !== 'text') tokens.push({kind, text, line})
  }
  for (const {0: whole, 1: raw, 2: tag, index} of template.matchAll(
    /\{\{\{\s*(.*?)\s*\}\}\}|\{\{\s*(.*?)\s*\}\}/g,
  )) {
    const before = template.slice(end, index)
    add('text', before)
    line += before.split('\n').length - 1
    add(raw === undefined ? 'tag' : 'raw', raw ?? tag ?? '')
    end = index + whole.length
  }
  add('text', template.slice(end))
  return tokens
}

/** @param scopes the items that are open, the innermost last */
function write(nodes: readonly Node[], scopes: readonly unknown[], markup: TemplateFill['markup']): string {
  return nodes
    .map(node => {
      switch (node.kind) {
        case 'text':
          return node.text
        case 'raw':
          return markup.get(node.path)!
        case 'value':
          return escapeHtml(shown(find(node.path, scopes)))
        case 'if':
          return write(isTrue(find(node.path, scopes)) ? node.body : node.otherwise, scopes, markup)
        case 'each':
          return itemsOf(find(node.path, scopes))
            .map(item => write(node.body, [...scopes, item], markup))
            .join('')
      }
    })
    .join('')
}

/** One turn of `each`. */
class Item {
  readonly key: string
  readonly value: unknown

  constructor(key: string, value: unknown) {
    this.key = key
    this.value = value
  }
}

function itemsOf(value: unknown): Item[] {
  if (Array.isArray(value)) return value.map((one, index) => new Item(String(index), one))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).map(([key, one]) => new Item(key, one))
}

/** The innermost scope that has the first key decides. */
function find(path: string, scopes: readonly unknown[]): unknown {
  const [first, ...rest] = path.split('.')
  for (const scope of [...scopes].reverse()) {
    if (scope instanceof Item) {
      if (first === '@key') return scope.key
      if (first === 'this') return follow(scope.value, rest)
    }
    const value = scope instanceof Item ? scope.value : scope
    if (hasOwn(value, first!)) return follow(value, [first!, ...rest])
  }
  return undefined
}

function follow(value: unknown, keys: readonly string[]): unknown {
  return keys.reduce<unknown>((at, key) => (hasOwn(at, key) ? at[key] : undefined), value)
}

/** Own keys alone: a template reaches no constructor and no prototype. */
function hasOwn(value: unknown, key: string): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
}

function isTrue(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value)
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return 'N/A'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
