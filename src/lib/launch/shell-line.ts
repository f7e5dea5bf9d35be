import type {LaunchCommand} from './plan-launch.js'

const REMOVED = '[removed]'
const SECRET = /(^|[-_])(key|token|secret|password|passwd|authorization|credentials)$/i

/** Pure: the words of a command and its variables, for people: without the values of secrets. */
export function withoutSecrets({file, args, env}: LaunchCommand): {
  readonly words: readonly string[]
  readonly env: Readonly<Record<string, string>>
} {
  let isValue = false
  const words = [file, ...args].map(word => {
    const [flag = '', value] = word.split('=', 2)
    const isFlag = word.startsWith('-')
    // Some flags take several.
    if (!isFlag) return isValue ? REMOVED : word
    isValue = value === undefined && SECRET.test(flag)
    return value !== undefined && SECRET.test(flag) ? `${flag}=${REMOVED}` : word
  })
  const shown = Object.entries(env).map(([name, value]) => [name, SECRET.test(name) ? REMOVED : value])
  return {words, env: Object.fromEntries(shown) as Record<string, string>}
}

/** Pure: a command as one line for a POSIX shell, its variables before it, without the values of secrets. */
export function shellLine(command: LaunchCommand): string {
  const {words, env} = withoutSecrets(command)
  const variables = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)}`)
  return [...variables, ...words.map(quoted)].join(' ')
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
