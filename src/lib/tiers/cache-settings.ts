import {readYamlFile} from '../config/index.js'
import {ConfigurationError, type Logger} from '../foundation/index.js'
import {convertSetting} from './convert-setting.js'
import {
  definitionOf,
  EXTRA_DEFAULTS,
  INERT_SETTINGS,
  SETTING_ALIASES,
  SETTING_DEFINITIONS,
  SETTING_NAMES,
  type SettingName,
  type SettingValue,
} from './setting-definitions.js'

/** What became of a change to settings. */
export interface SettingsChange {
  readonly updated: Readonly<Record<string, SettingValue>>
  readonly errors: Readonly<Record<string, string>>
}

/**
 * The configuration of a worker. Numbers and texts of `extra_config` are read key by key, where they are used.
 *
 * @see LMCache/LMCache:lmcache/v1/config.py and config_base.py
 */
export class CacheSettings {
  readonly #values: Map<string, SettingValue>

  constructor(values: Readonly<Record<string, SettingValue>> = {}) {
    this.#values = new Map(
      SETTING_NAMES.map(name => [name, values[name] ?? SETTING_DEFINITIONS[name].default]),
    )
  }

  /** Keys that were given another value than their default and change nothing here. */
  inert(): SettingName[] {
    return INERT_SETTINGS.filter(
      name => JSON.stringify(this.#values.get(name)) !== JSON.stringify(SETTING_DEFINITIONS[name].default),
    )
  }

  text(name: SettingName): string | null {
    const value = this.#values.get(name)
    return typeof value === 'string' ? value : null
  }

  number(name: SettingName): number {
    const value = this.#values.get(name)
    return typeof value === 'number' ? value : 0
  }

  isOn(name: SettingName): boolean {
    return this.#values.get(name) === true
  }

  texts(name: SettingName): readonly string[] | null {
    const value = this.#values.get(name)
    return Array.isArray(value) ? value.map(String) : null
  }

  /** A value of `extra_config`, or its default where it is absent. */
  extra<K extends keyof typeof EXTRA_DEFAULTS>(name: K): (typeof EXTRA_DEFAULTS)[K] {
    const value = this.extraObject[name]
    const usual = EXTRA_DEFAULTS[name]
    return typeof value === typeof usual ? (value as typeof usual) : usual
  }

  get extraObject(): Readonly<Record<string, unknown>> {
    const value = this.#values.get('extra_config')
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : {}
  }

  /** Every key, or those of `names` that exist. Passwords within addresses are not shown. */
  shown(names: readonly string[] | null): Record<string, SettingValue> {
    const all = [...this.#values].filter(([name]) => names?.includes(name) ?? true)
    return Object.fromEntries(
      all.map(([name, value]) => [name, typeof value === 'string' ? redacted(value) : value]),
    )
  }

  /** Changes what can be changed, key by key, whatever becomes of the others. */
  change(asked: Readonly<Record<string, unknown>>): SettingsChange {
    const updated: Record<string, SettingValue> = {}
    const errors: Record<string, string> = {}
    for (const [name, value] of Object.entries(asked)) {
      const definition = definitionOf(name)
      if (definition === null) {
        errors[name] = 'Unknown config'
        continue
      }
      if (definition.isMutable === false) {
        errors[name] = 'Config is not mutable at runtime'
        continue
      }
      const converted = convertSetting(definition, value)
      if (converted === undefined || (name === 'extra_config' && wrongExtra(converted) !== null)) {
        errors[name] = 'Failed to set config value'
        continue
      }
      this.#values.set(name, converted)
      updated[name] = converted
    }
    return {updated, errors}
  }
}

/**
 * Settings from a YAML file, then `LMCACHE_*` variables over it. A key that nobody knows is told and left out, as upstream
 * does; a value that cannot be read is refused.
 *
 * @throws ConfigurationError `CACHE_CONFIG_INVALID`, or as `readYamlFile`
 */
export async function loadCacheSettings(
  path: string | null,
  environment: NodeJS.ProcessEnv,
  logger: Logger,
): Promise<CacheSettings> {
  const values: Record<string, SettingValue> = {}
  const set = (name: string, value: unknown, where: string): void => {
    const definition = definitionOf(name)!
    const converted = convertSetting(definition, value)
    if (converted === undefined) {
      throw new ConfigurationError(
        'CACHE_CONFIG_INVALID',
        `${where}: ${JSON.stringify(value)} is no value of ${name}`,
        {
          suggestions: definition.choices === undefined ? [] : [`one of ${definition.choices.join(', ')}`],
        },
      )
    }
    const wrong = name === 'extra_config' ? wrongExtra(converted) : null
    if (wrong !== null) throw new ConfigurationError('CACHE_CONFIG_INVALID', `${where}: ${wrong}`)
    values[name] = converted
  }
  if (path !== null) {
    const file = await readYamlFile(path)
    if (typeof file.value !== 'object' || file.value === null || Array.isArray(file.value))
      throw new ConfigurationError('CACHE_CONFIG_INVALID', `${path} holds no keys`)
    for (const [key, value] of Object.entries(file.value)) {
      const name = SETTING_ALIASES[key] ?? key
      const where = `${path}:${file.lineOf([key])}`
      if (definitionOf(name) === null) logger.warn(`${where}: ${key} is not known and ignored`)
      else set(name, value, where)
    }
  }
  for (const name of SETTING_NAMES) {
    const variable = `LMCACHE_${name.toUpperCase()}`
    const value = environment[variable]
    if (value !== undefined) set(name, value, variable)
  }
  return new CacheSettings(values)
}

const KINDS = {boolean: 'true or false', number: 'a number', string: 'a text'}

/** What is wrong with the first key of `extra_config` that has a value of another type than it takes. */
function wrongExtra(extra: SettingValue): string | null {
  for (const [name, value] of Object.entries(extra ?? {})) {
    if (!Object.hasOwn(EXTRA_DEFAULTS, name) || value === null) continue
    const kind = typeof EXTRA_DEFAULTS[name as keyof typeof EXTRA_DEFAULTS] as keyof typeof KINDS
    if (typeof value !== kind)
      return `${JSON.stringify(value)} is no value of ${name}, which takes ${KINDS[kind]}`
  }
  return null
}

function redacted(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/[^/@]*:)[^/@]*@/i, '$1***@')
}
