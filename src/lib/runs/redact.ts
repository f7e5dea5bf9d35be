const SECRET_KEY = /^(?:.*[-_])?(?:api[-_]?key|authorization|password|passwd|secret|access[-_]?key|token)$/i
const REMOVED = '[removed]'

/**
 * A copy of a JSON value without secrets: values under keys such as `api_key`, `authorization` or `hf_token`, the values of
 * flags so named in lists of arguments (`--api-key X`, `--token=X`), and user names and passwords in URLs.
 */
export function redact<T>(value: T): T {
  return redactPart(value) as T
}

function redactPart(value: unknown): unknown {
  if (typeof value === 'string')
    return value.replaceAll(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, `$1${REMOVED}@`)
  if (Array.isArray(value)) return redactList(value)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [key, isSecret(key, part) ? REMOVED : redactPart(part)]),
  )
}

function isSecret(key: string, part: unknown): boolean {
  return typeof part === 'string' && part !== '' && SECRET_KEY.test(key)
}

function redactList(list: readonly unknown[]): unknown[] {
  return list.map((part, index) => {
    const flag = typeof part === 'string' ? /^--([\w-]+)=/.exec(part) : null
    if (flag && SECRET_KEY.test(flag[1]!)) return `--${flag[1]!}=${REMOVED}`
    const before = index > 0 ? list[index - 1] : null
    const isValue = typeof before === 'string' && before.startsWith('--') && SECRET_KEY.test(before.slice(2))
    return isValue && typeof part === 'string' ? REMOVED : redactPart(part)
  })
}
