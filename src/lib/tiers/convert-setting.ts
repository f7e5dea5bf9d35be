import type {SettingDefinition, SettingValue} from './setting-definitions.js'

/** What turns a tier off, beside null. */
const OFF = [false, '']

/**
 * A value as a file, a request or the environment gives it, as its key's own type. Text is read as upstream reads variables:
 * one pair of quotes off, `true` and `1` are true, lists are split at commas, objects are JSON.
 *
 * @returns undefined when it cannot be read
 */
export function convertSetting({kind, choices}: SettingDefinition, value: unknown): SettingValue | undefined {
  if (value === null) return kind === 'boolean' ? undefined : null
  const plain = typeof value === 'string' ? unquoted(value) : value
  switch (kind) {
    case 'boolean':
      if (typeof plain === 'boolean') return plain
      return typeof plain === 'string' ? ['true', '1'].includes(plain.toLowerCase()) : undefined
    case 'integer':
    case 'decimal':
      return numberOf(plain, kind === 'integer')
    case 'text': {
      if (OFF.includes(plain as string)) return null
      const text = Array.isArray(plain) ? plain.join(',') : plain
      if (typeof text !== 'string') return undefined
      return choices === undefined ? text : choices.find(one => one.toLowerCase() === text.toLowerCase())
    }
    case 'texts':
      return listOf(plain, item => (typeof item === 'string' ? item.trim() : undefined))
    case 'integers':
      return listOf(plain, item => numberOf(item, true))
    case 'object':
      return objectOf(plain)
  }
}

function unquoted(text: string): string {
  return /^(['"]).*\1$/s.test(text) && text.length > 1 ? text.slice(1, -1) : text
}

function numberOf(value: unknown, isWhole: boolean): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number) || number < 0) return undefined
  return isWhole && !Number.isSafeInteger(number) ? undefined : number
}

function listOf<T extends string | number>(
  value: unknown,
  read: (item: unknown) => T | undefined,
): readonly T[] | undefined {
  const items: unknown = typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : [value]
  const list = (items as unknown[]).map(read)
  return list.every(item => item !== undefined) ? list : undefined
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  let parsed = value
  try {
    if (typeof value === 'string') parsed = JSON.parse(value)
  } catch {
    // Not JSON: not an object.
    return undefined
  }
  return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
    ? (parsed as Readonly<Record<string, unknown>>)
    : undefined
}
