export const REMOVED = '[removed]'
const SECRET_FIELD =
  /(?:^|[-_])(?:api[-_]?key|access[-_]?key|token|secret|password|passwd|authorization|credentials)$/i

/** Pure: whether a flag or a variable is called as those are that hold a secret: `--api-key`, `--ssl-key`, `DB_PASSWORD`. */
export function isSecretName(name: string): boolean {
  return SECRET_FIELD.test(name) || /(?:^|[-_])key$/i.test(name)
}

/** Pure: a text without the user names and passwords of its URLs. */
export function withoutUrlSecrets(text: string): string {
  return text.replaceAll(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#]*@/gi, `$1${REMOVED}@`)
}

/** Pure: the words of a command line without the values of secret flags (`--api-key X Y`, `--token=X`) and those of URLs. */
export function withoutSecretWords(words: readonly string[]): string[] {
  let isValue = false
  return words.map(word => {
    const [flag = '', value] = word.split('=', 2)
    // Some flags take several values.
    if (!word.startsWith('-')) return isValue ? REMOVED : withoutUrlSecrets(word)
    const isSecret = isSecretName(flag)
    isValue = isSecret && value === undefined
    return isSecret && value !== undefined ? `${flag}=${REMOVED}` : withoutUrlSecrets(word)
  })
}

/** Pure: a copy of a JSON value without secrets: those under keys that name them, in lists of arguments, and in URLs. */
export function withoutSecrets<T>(value: T): T {
  return copyOf(value) as T
}

function copyOf(value: unknown): unknown {
  if (typeof value === 'string') return withoutUrlSecrets(value)
  if (Array.isArray(value)) {
    return value.every(part => typeof part === 'string') ? withoutSecretWords(value) : value.map(copyOf)
  }
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => {
      // `length_key` and its like name other fields.
      const isSecret = typeof part === 'string' && part !== '' && SECRET_FIELD.test(key)
      return [key, isSecret ? REMOVED : copyOf(part)]
    }),
  )
}
