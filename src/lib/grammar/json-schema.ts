import {FORMATS} from './formats.js'
import {invalid} from './grammar.js'
import {isObject, type JsonObject} from './json-object.js'
import {textLengths} from './lengths.js'
import {all, any, choice, repeat, text, type GrammarNode, type LinkNode} from './node.js'
import {numbersWithin} from './numbers.js'
import {patternGrammar} from './pattern.js'
import {areDisjoint, isValueAllowed} from './schema-facts.js'

/** Schemas nest less deeply than this, references followed. */
const MAX_NESTING = 100

/** Would change which values are valid; a grammar that ignored one would say wrong things. */
const UNSUPPORTED = [
  'not',
  'if',
  'then',
  'else',
  'contains',
  'minContains',
  'maxContains',
  'uniqueItems',
  'patternProperties',
  'propertyNames',
  'dependencies',
  'dependentRequired',
  'dependentSchemas',
  'unevaluatedItems',
  'unevaluatedProperties',
  'additionalItems',
  '$dynamicRef',
  '$recursiveRef',
]
/** Keywords that ask for something; beside `$ref`, `anyOf` and their like they would have to hold at once. */
const ASSERTIONS = [
  ...['type', 'enum', 'const', '$ref', 'anyOf', 'oneOf', 'allOf'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  ...['minLength', 'maxLength', 'pattern'],
  ...['items', 'prefixItems', 'minItems', 'maxItems'],
  ...['properties', 'required', 'additionalProperties', 'minProperties', 'maxProperties'],
]
const LIMITS = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minLength', 'maxLength']
const COMBINATORS = ['$ref', 'anyOf', 'oneOf', 'allOf'] as const
const TYPES = ['string', 'number', 'integer', 'boolean', 'null', 'object', 'array'] as const
type Type = (typeof TYPES)[number]

/**
 * JSON values that a schema allows, written as `{"a": 1, "b": [2, 3]}`.
 *
 * @throws ConfigurationError for what is no schema, allows nothing, or needs more than a grammar can say; it names the place
 * @see json-schema-org/json-schema-spec — draft 2020-12; `definitions` and boolean schemas of older drafts are understood too
 */
export function schemaGrammar(schema: unknown): GrammarNode {
  return new SchemaReader(schema).read(schema, '#')
}

/** Any JSON object. */
export function anyObjectGrammar(): GrammarNode {
  return schemaGrammar({type: 'object'})
}

class SchemaReader {
  readonly #document: unknown
  readonly #links = new Map<string, LinkNode>()
  #any: GrammarNode | null = null
  #nesting = 0

  constructor(document: unknown) {
    this.#document = document
  }

  read(schema: unknown, path: string): GrammarNode {
    if (schema === true) return this.#anything()
    if (schema === false) throw wrong(path, 'false allows nothing')
    if (!isObject(schema)) throw wrong(path, 'a schema is an object or a boolean')
    if (++this.#nesting > MAX_NESTING) throw wrong(path, 'it nests too deeply')
    const node = this.#readObject(schema, path)
    this.#nesting--
    return node
  }

  #readObject(schema: JsonObject, path: string): GrammarNode {
    const unsupported = UNSUPPORTED.find(
      keyword => keyword in schema && !(keyword === 'uniqueItems' && schema[keyword] === false),
    )
    if (unsupported) throw wrong(path, `'${unsupported}' is not supported`)
    const combinator = COMBINATORS.find(keyword => keyword in schema)
    if (combinator) {
      const beside = ASSERTIONS.find(keyword => keyword in schema && keyword !== combinator)
      if (beside) throw wrong(path, `'${beside}' beside '${combinator}' is not supported`)
      return this.#combined(schema, combinator, path)
    }
    if ('const' in schema || 'enum' in schema) return enumerated(schema, path)
    const types = readTypes(schema, path)
    return any(types.map(type => this.#typed(type, schema, path)))
  }

  #combined(schema: JsonObject, combinator: (typeof COMBINATORS)[number], path: string): GrammarNode {
    if (combinator === '$ref') return this.#reference(schema['$ref'], path)
    const options = list(schema, combinator, path)
    if (options.length === 0) throw wrong(path, `'${combinator}' is empty`)
    if (combinator === 'allOf' && options.length > 1) {
      throw wrong(path, "'allOf' of several schemas is not supported")
    }
    if (combinator === 'oneOf' && !areDisjoint(options.map(option => this.#resolved(option)))) {
      throw wrong(path, "'oneOf' whose options may overlap is not supported; 'anyOf' is")
    }
    const allowed = options.flatMap((option, index) =>
      option === false && combinator !== 'allOf' ? [] : [this.read(option, `${path}/${combinator}/${index}`)],
    )
    if (allowed.length === 0) throw wrong(path, `'${combinator}' allows nothing`)
    return any(allowed)
  }

  #reference(reference: unknown, path: string): GrammarNode {
    if (typeof reference !== 'string') throw wrong(path, "'$ref' must be a string")
    const known = this.#links.get(reference)
    if (known) return known
    const link: LinkNode = {kind: 'link', target: null}
    this.#links.set(reference, link)
    link.target = this.read(this.#lookUp(reference, path), reference)
    return link
  }

  /** What a schema that is only a reference refers to. */
  #resolved(schema: unknown): unknown {
    let target = schema
    for (let hops = 0; isObject(target) && typeof target['$ref'] === 'string'; hops++) {
      if (hops === MAX_NESTING) return schema
      target = this.#lookUp(target['$ref'], '#')
    }
    return target
  }

  #lookUp(reference: string, path: string): unknown {
    if (!/^#(\/|$)/.test(reference))
      throw wrong(path, `'$ref' ${JSON.stringify(reference)} leads outside the schema`)
    let target = this.#document
    for (const step of reference.split('/').slice(1)) {
      const key = unescape(step)
      const isThere = typeof target === 'object' && target !== null && Object.hasOwn(target, key)
      if (!isThere) throw wrong(path, `'$ref' ${JSON.stringify(reference)} leads nowhere`)
      target = (target as JsonObject)[key]
    }
    return target
  }

  #typed(type: Type, schema: JsonObject, path: string): GrammarNode {
    switch (type) {
      case 'null':
        return text('null')
      case 'boolean':
        return choice(['true', 'false'])
      case 'integer':
      case 'number':
        return numeric(schema, type === 'integer', path)
      case 'string':
        return string(schema, path)
      case 'array':
        return this.#array(schema, path)
      case 'object':
        return this.#object(schema, path)
    }
  }

  #array(schema: JsonObject, path: string): GrammarNode {
    const first = 'prefixItems' in schema ? list(schema, 'prefixItems', path) : []
    const [min, max] = bounds(schema, 'minItems', 'maxItems', path)
    if (max < first.length) throw wrong(path, "'maxItems' below the number of 'prefixItems' is not supported")
    const heads = first.map((item, index) => this.read(item, `${path}/prefixItems/${index}`))
    const {items = true} = schema
    if (items === false) {
      if (min > heads.length) throw wrong(path, "'minItems' is more than 'prefixItems' allow")
      return listed(heads, null)
    }
    // Nobody needs more of a list whose beginning is described than was asked for.
    const most = heads.length > 0 && !('items' in schema) ? Math.max(min, heads.length) : max
    if (most === heads.length) return listed(heads, null)
    const item = 'items' in schema ? this.read(items, `${path}/items`) : this.#anything()
    return listed(heads, repeat(item, ', ', Math.max(0, min - heads.length), most - heads.length))
  }

  #object(schema: JsonObject, path: string): GrammarNode {
    const properties = schema['properties'] ?? {}
    if (!isObject(properties)) throw wrong(path, "'properties' must be an object")
    const required = 'required' in schema ? list(schema, 'required', path) : []
    if (!required.every(key => typeof key === 'string'))
      throw wrong(path, "'required' must be a list of strings")
    const [min, max] = bounds(schema, 'minProperties', 'maxProperties', path)
    const extra = schema['additionalProperties'] ?? true
    const rest = extra === false ? null : this.read(extra, `${path}/additionalProperties`)
    const wanted = new Set<unknown>(required)
    const members = Object.entries(properties).flatMap(([key, value]) => {
      const isRequired = wanted.delete(key)
      if (value === false && !isRequired) return []
      return [{key, isRequired, node: this.read(value, `${path}/properties/${key}`)}]
    })
    for (const key of wanted as Set<string>) {
      if (!rest)
        throw wrong(path, `'required' names ${JSON.stringify(key)}, which is not among the properties`)
      members.push({key, isRequired: true, node: rest})
    }
    const requiredCount = members.filter(member => member.isRequired).length
    if (requiredCount > max) throw wrong(path, "'required' names more than 'maxProperties'")
    if (!rest && members.length < min) throw wrong(path, "'minProperties' is more than 'properties' allow")
    return {kind: 'object', members, extra: rest, min, max}
  }

  /** Any JSON value at all. */
  #anything(): GrammarNode {
    if (this.#any) return this.#any
    const link: LinkNode = {kind: 'link', target: null}
    this.#any = link
    link.target = any(TYPES.map(type => this.#typed(type, {}, '#')))
    return link
  }
}

/** @throws ConfigurationError when no listed value also fits the keywords beside the list */
function enumerated(schema: JsonObject, path: string): GrammarNode {
  const beside = ASSERTIONS.find(key => key in schema && !['type', 'enum', 'const', ...LIMITS].includes(key))
  if (beside) throw wrong(path, `'${beside}' beside 'enum' or 'const' is not supported`)
  const limit = LIMITS.find(keyword => keyword in schema && typeof schema[keyword] !== 'number')
  if (limit) throw wrong(path, `'${limit}' must be a number`)
  const values = 'const' in schema ? [schema['const']] : list(schema, 'enum', path)
  const listed = 'const' in schema && 'enum' in schema ? list(schema, 'enum', path) : values
  const among = new Set(listed.map(value => JSON.stringify(value)))
  const fitting = values.filter(value => among.has(JSON.stringify(value)) && isValueAllowed(value, schema))
  if (fitting.length === 0) throw wrong(path, 'no listed value is allowed')
  return choice(fitting.map(value => JSON.stringify(value)))
}

function readTypes(schema: JsonObject, path: string): readonly Type[] {
  const {type} = schema
  if (type === undefined) return impliedTypes(schema)
  const types = Array.isArray(type) ? (type as unknown[]) : [type]
  const isKnown = (name: unknown): name is Type => TYPES.includes(name as Type)
  if (types.length === 0 || !types.every(isKnown))
    throw wrong(path, `'type' ${JSON.stringify(type)} is unknown`)
  return types
}

/** Without a type everything is allowed; what the keywords speak of is what was meant. */
function impliedTypes(schema: JsonObject): readonly Type[] {
  const speaksOf = (...keywords: string[]): boolean => keywords.some(keyword => keyword in schema)
  if (speaksOf('properties', 'required', 'additionalProperties', 'minProperties', 'maxProperties'))
    return ['object']
  if (speaksOf('items', 'prefixItems', 'minItems', 'maxItems')) return ['array']
  if (speaksOf('minLength', 'maxLength', 'pattern', 'format')) return ['string']
  if (speaksOf('minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf')) return ['number']
  return TYPES
}

function numeric(schema: JsonObject, isInteger: boolean, path: string): GrammarNode {
  const limit = (keyword: string, fallback: number): number => {
    const value = schema[keyword] ?? fallback
    if (typeof value !== 'number') throw wrong(path, `'${keyword}' must be a number`)
    return value
  }
  const multipleOf = 'multipleOf' in schema ? limit('multipleOf', 1) : null
  if (multipleOf !== null && multipleOf <= 0) throw wrong(path, "'multipleOf' must be more than 0")
  return at(path, () => ({
    kind: 'number',
    numbers: numbersWithin({
      minimum: limit('minimum', -Infinity),
      maximum: limit('maximum', Infinity),
      above: limit('exclusiveMinimum', -Infinity),
      below: limit('exclusiveMaximum', Infinity),
      multipleOf,
      isInteger,
    }),
  }))
}

function string(schema: JsonObject, path: string): GrammarNode {
  const [min, max] = bounds(schema, 'minLength', 'maxLength', path)
  const {pattern, format} = schema
  if (pattern !== undefined && typeof pattern !== 'string') throw wrong(path, "'pattern' must be a string")
  const source = pattern ?? (typeof format === 'string' ? FORMATS.get(format) : undefined)
  if (source === undefined) return quoted({kind: 'words', min, max})
  if (pattern !== undefined && typeof format === 'string' && FORMATS.has(format)) {
    throw wrong(path, `'pattern' beside format '${format}' is not supported`)
  }
  return at(path, () => {
    const plain = patternGrammar(source, false)
    const lengths = textLengths(plain)
    if (lengths.min < min || lengths.max > max) {
      throw invalid("a pattern or format that 'minLength' or 'maxLength' cut short is not supported")
    }
    return quoted(patternGrammar(source, true))
  })
}

const quoted = (content: GrammarNode): GrammarNode => all(text('"'), content, text('"'))

function listed(heads: readonly GrammarNode[], rest: GrammarNode | null): GrammarNode {
  const parts = heads.flatMap((head, index) => (index === 0 ? [head] : [text(', '), head]))
  if (!rest) return all(text('['), ...parts, text(']'))
  if (heads.length === 0) return all(text('['), rest, text(']'))
  if (rest.kind !== 'repeat') throw new TypeError('the rest of a list is a repeat')
  const more = all(text(', '), {...rest, min: Math.max(1, rest.min)})
  return all(text('['), ...parts, rest.min === 0 ? any([text(''), more]) : more, text(']'))
}

function bounds(schema: JsonObject, least: string, most: string, path: string): readonly [number, number] {
  const read = (keyword: string, fallback: number): number => {
    const value = schema[keyword] ?? fallback
    const isCount = typeof value === 'number' && value >= 0 && (Number.isInteger(value) || value === Infinity)
    if (!isCount) throw wrong(path, `'${keyword}' must be an integer of 0 or more`)
    return value
  }
  const [min, max] = [read(least, 0), read(most, Infinity)]
  if (min > max) throw wrong(path, `'${least}' is more than '${most}'`)
  return [min, max]
}

function list(schema: JsonObject, keyword: string, path: string): readonly unknown[] {
  const value = schema[keyword]
  if (!Array.isArray(value)) throw wrong(path, `'${keyword}' must be a list`)
  return value
}

/** A step of a JSON pointer within a URI. @see RFC 6901, section 6 */
function unescape(step: string): string {
  let decoded = step
  try {
    decoded = decodeURIComponent(step)
  } catch {
    // a bare percent sign, which a sloppy writer left as it was
  }
  return decoded.replaceAll('~1', '/').replaceAll('~0', '~')
}

/** Names the place in the schema that a reader of a part of it complained about. */
function at<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw wrong(path, (error as Error).message)
  }
}

function wrong(path: string, message: string): Error {
  return invalid(`at ${path}: ${message}`)
}
