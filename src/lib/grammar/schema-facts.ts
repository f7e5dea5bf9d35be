import {isObject, type JsonObject} from './json-object.js'

/**
 * Whether a listed value also fits the keywords beside its list, of which those about type, size and length are read.
 */
export function isValueAllowed(value: unknown, schema: JsonObject): boolean {
  const {type} = schema
  const types = type === undefined ? null : ((Array.isArray(type) ? type : [type]) as unknown[])
  if (types && !types.some(name => hasType(value, name))) return false
  const least = (keyword: string): number => (schema[keyword] as number | undefined) ?? -Infinity
  const most = (keyword: string): number => (schema[keyword] as number | undefined) ?? Infinity
  if (typeof value === 'number') {
    return (
      value >= least('minimum') &&
      value <= most('maximum') &&
      value > least('exclusiveMinimum') &&
      value < most('exclusiveMaximum')
    )
  }
  if (typeof value !== 'string') return true
  const {length} = Array.from(value)
  return length >= least('minLength') && length <= most('maxLength')
}

function hasType(value: unknown, name: unknown): boolean {
  if (value === null) return name === 'null'
  if (Array.isArray(value)) return name === 'array'
  if (typeof value === 'number') return name === 'number' || (name === 'integer' && Number.isInteger(value))
  return typeof value === name
}

/** More options, or more values in one of them, are not compared. */
const MOST_OPTIONS = 100
const MOST_VALUES = 1000

/** What is known of the values of a schema; null where it says nothing. */
interface Facts {
  /** As JSON. */
  readonly values: ReadonlySet<string> | null
  readonly types: ReadonlySet<unknown> | null
  /** Values of the members that every object of it has, by key. */
  readonly members: ReadonlyMap<string, ReadonlySet<string>>
}

/** Whether no value fits two of the schemas, as far as types, listed values and required members can tell. */
export function areDisjoint(schemas: readonly unknown[]): boolean {
  const possible = schemas.filter(schema => schema !== false)
  if (possible.length > MOST_OPTIONS || !possible.every(isObject)) return possible.length < 2
  const facts = possible.map(factsOf)
  return facts.every((one, index) => facts.slice(index + 1).every(other => arePairDisjoint(one, other)))
}

function factsOf(schema: JsonObject): Facts {
  const values = listedValues(schema)
  const {type, required, properties} = schema
  const names = type === undefined ? null : Array.isArray(type) ? (type as unknown[]) : [type]
  const types = values ? [...values].map(value => jsonType(JSON.parse(value))) : names
  const members = new Map<string, ReadonlySet<string>>()
  for (const key of Array.isArray(required) ? (required as unknown[]) : []) {
    if (typeof key !== 'string' || !isObject(properties) || !Object.hasOwn(properties, key)) continue
    const member = properties[key]
    const listed = isObject(member) ? listedValues(member) : null
    if (listed) members.set(key, listed)
  }
  // An integer is a number, so both count as one type.
  return {values, types: types && new Set(types.map(name => (name === 'integer' ? 'number' : name))), members}
}

function arePairDisjoint(one: Facts, other: Facts): boolean {
  if (one.values && other.values) return !haveCommon(one.values, other.values)
  if (!one.types || !other.types) return false
  if (!haveCommon(one.types, other.types)) return true
  const common = [...one.types].filter(type => other.types!.has(type))
  if (common.some(type => type !== 'object')) return false
  return [...one.members].some(([key, values]) => {
    const others = other.members.get(key)
    return others !== undefined && !haveCommon(values, others)
  })
}

function haveCommon(some: ReadonlySet<unknown>, others: ReadonlySet<unknown>): boolean {
  for (const value of some) if (others.has(value)) return true
  return false
}

function listedValues(schema: JsonObject): ReadonlySet<string> | null {
  if ('const' in schema) return new Set([JSON.stringify(schema['const'])])
  const listed = schema['enum']
  if (!Array.isArray(listed) || listed.length > MOST_VALUES) return null
  return new Set(listed.map(value => JSON.stringify(value)))
}

function jsonType(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}
