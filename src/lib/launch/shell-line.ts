import {isSecretName, REMOVED, withoutSecretWords, withoutUrlSecrets} from '../foundation/index.js'
import type {LaunchCommand} from './plan-launch.js'

/** Pure: the words of a command and its variables, for people: without the values of secrets. */
export function shownCommand({file, args, env}: LaunchCommand): {
  readonly words: readonly string[]
  readonly env: Readonly<Record<string, string>>
} {
  const words = withoutSecretWords([file, ...args])
  const shown = Object.entries(env).map(([name, value]) => [
    name,
    isSecretName(name) ? REMOVED : withoutUrlSecrets(value),
  ])
  return {words, env: Object.fromEntries(shown) as Record<string, string>}
}

/** Pure: a command as one line for a POSIX shell, its variables before it, without the values of secrets. */
export function shellLine(command: LaunchCommand): string {
  const {words, env} = shownCommand(command)
  const variables = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)}`)
  return [...variables, ...words.map(quoted)].join(' ')
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
