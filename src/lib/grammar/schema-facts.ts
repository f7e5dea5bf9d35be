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

/** Whether no value fits two of the schemas, as far as types, listed values and required members can tell. */
export function areDisjoint(schemas: readonly unknown[]): boolean {
  return schemas.every((one, index) => schemas.slice(index + 1).every(other => arePairDisjoint(one, other)))
}

function arePairDisjoint(one: unknown, other: unknown): boolean {
  if (one === false || other === false) return true
  if (!isObject(one) || !isObject(other)) return false
  const [values, otherValues] = [listedValues(one), listedValues(other)]
  if (values && otherValues) return !values.some(value => otherValues.includes(value))
  const [types, otherTypes] = [typesOf(one), typesOf(other)]
  if (!types || !otherTypes) return false
  const common = types.filter(type => otherTypes.includes(type))
  if (common.length === 0) return true
  return common.every(type => type === 'object') && haveDiscriminator(one, other)
}

/** A member that both require and of which no value fits both. */
function haveDiscriminator(one: JsonObject, other: JsonObject): boolean {
  const [required, otherRequired] = [one['required'], other['required']]
  if (!Array.isArray(required) || !Array.isArray(otherRequired)) return false
  return required.some(key => {
    if (typeof key !== 'string' || !otherRequired.includes(key)) return false
    const [value, otherValue] = [memberOf(one, key), memberOf(other, key)]
    const [values, otherValues] = [value && listedValues(value), otherValue && listedValues(otherValue)]
    return Boolean(values && otherValues && !values.some(text => otherValues.includes(text)))
  })
}

function memberOf(schema: JsonObject, key: string): JsonObject | null {
  const properties = schema['properties']
  if (!isObject(properties) || !Object.hasOwn(properties, key)) return null
  const value = properties[key]
  return isObject(value) ? value : null
}

/** As JSON. */
function listedValues(schema: JsonObject): readonly string[] | null {
  if ('const' in schema) return [JSON.stringify(schema['const'])]
  return Array.isArray(schema['enum']) ? schema['enum'].map(value => JSON.stringify(value)) : null
}

/** An integer is a number, so both count as one type. */
function typesOf(schema: JsonObject): readonly unknown[] | null {
  const listed = listedValues(schema)
  if (listed) return listed.map(value => jsonType(JSON.parse(value)))
  const {type} = schema
  if (type === undefined) return null
  return (Array.isArray(type) ? (type as unknown[]) : [type]).map(name =>
    name === 'integer' ? 'number' : name,
  )
}

function jsonType(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}
