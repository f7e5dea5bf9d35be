export type SettingSource = 'flag' | 'environment' | 'profile' | 'default'

/** A value together with who decided it. */
export interface Setting<T> {
  readonly value: T
  readonly source: SettingSource
}

/**
 * The one place where precedence is written: flag, then environment, then profile or configuration file, then default.
 * `undefined` and `null` mean that a source says nothing.
 */
export function settle<T>(sources: {
  readonly flag?: T | null | undefined
  readonly environment?: T | null | undefined
  readonly profile?: T | null | undefined
  readonly default: T
}): Setting<T> {
  for (const source of ['flag', 'environment', 'profile'] as const) {
    const value = sources[source]
    if (value !== undefined && value !== null) return {value, source}
  }
  return {value: sources.default, source: 'default'}
}
