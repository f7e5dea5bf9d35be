import {Errors, loadHelpClass, type Config} from '@oclif/core'
import {closest} from 'fastest-levenshtein'
import {ConfigurationError, errorDocument} from '../../lib/foundation/index.js'
import {runInTerminal} from '../../lib/processes/index.js'
import {breakLines} from '../break-lines.js'
import type {CompletableCommand} from '../completion.js'
import {findCommand} from './find-command.js'
import type {HistoryFile} from './history-file.js'
import {splitWords} from './split-words.js'

export interface ShellParts {
  readonly config: Config
  /** @returns null at the end */
  readonly nextLine: () => Promise<string | null>
  readonly history: HistoryFile
  /** A person types; only then may `!` start programs. */
  readonly isTyped: boolean
  readonly say: (line: string) => void
}

/** Commands that make no sense inside the shell. */
const OUTSIDE_ONLY = new Set(['shell', 'complete', 'completion'])

export function shellCommands(config: Config): CompletableCommand[] {
  return (config.commands as readonly CompletableCommand[]).filter(({id}) => !OUTSIDE_ONLY.has(id))
}

/** Runs one line after another until `exit` or the end of input. What fails is told and does not end the shell. */
export async function runShell(parts: ShellParts): Promise<void> {
  for (;;) {
    const line = await parts.nextLine()
    if (line === null) return
    if (parts.isTyped && line.trim() !== '' && !line.startsWith(' ')) parts.history.append(line)
    try {
      if (!(await runLine(line, parts))) return
    } catch (error) {
      tell(error)
    }
    // A command's status is its own; the shell has done its work.
    process.exitCode = 0
  }
}

/** @returns whether the shell goes on */
async function runLine(line: string, {config, isTyped, say}: ShellParts): Promise<boolean> {
  const commands = shellCommands(config)
  const ids = commands.map(({id}) => id)
  const order = findCommand(line, splitWords, ids)
  switch (order.kind) {
    case 'nothing':
      return true
    case 'leave':
      return false
    case 'help':
      if (order.words.length === 0) say(shellHelp(commands, process.stdout.columns || PLAIN_COLUMNS))
      else await showHelp(config, order.words)
      return true
    case 'system':
      await runSystem(order.line, isTyped)
      return true
    case 'unknown':
      throw unknownCommand(order.word, commands, isTyped)
    case 'command':
      await config.runCommand(order.id, [...order.args])
      return true
  }
}

async function showHelp(config: Config, words: readonly string[]): Promise<void> {
  const HelpClass = await loadHelpClass(config)
  await new HelpClass(config, {}).showHelp([...words])
}

async function runSystem(line: string, isTyped: boolean): Promise<void> {
  if (!isTyped) {
    throw new ConfigurationError('SYSTEM_COMMAND_REFUSED', `'!${line}' runs only when a person types it`)
  }
  if (line !== '') await runInTerminal(line)
}

function unknownCommand(
  word: string,
  commands: readonly CompletableCommand[],
  isTyped: boolean,
): ConfigurationError {
  const names = commands.filter(({hidden}) => !hidden).map(({id}) => id.split(':')[0]!)
  const hints = [closest(word, names), 'help', ...(isTyped ? [`!${word} for a program of this system`] : [])]
  return new ConfigurationError('UNKNOWN_COMMAND', `'${word}' is no command`, {suggestions: hints})
}

const NAME_COLUMNS = 22
/** Where stdout is no terminal. */
const PLAIN_COLUMNS = 100

/** Pure: what kvcached's shell lists, and every other command. @param columns of the terminal */
export function shellHelp(commands: readonly CompletableCommand[], columns: number): string {
  const room = Math.max(20, columns - NAME_COLUMNS - 3)
  const hanging = `\n${' '.repeat(NAME_COLUMNS + 3)}`
  const row = (name: string, meaning: string): string =>
    `  ${name.padEnd(NAME_COLUMNS)} ${breakLines(meaning, room).join(hanging)}`
  const shown = commands.filter(({hidden, id}) => !hidden && id !== 'help')
  const rows = shown.map(({id, summary}) => row(id.replaceAll(':', ' '), summary ?? ''))
  return [
    'Commands',
    ...rows.sort(),
    '',
    row('help [COMMAND]', 'this list, or flags and examples of a command'),
    row('!<shell cmd>', 'run a program of this system'),
    row('exit | quit', 'leave (also Ctrl-D); Ctrl-C ends what runs'),
  ].join('\n')
}

function tell(error: unknown): void {
  if (error instanceof Errors.ExitError) return
  const {message, suggestions} = errorDocument(error).error
  process.stderr.write(`Error: ${message}\n${suggestions.map(text => `  Try: ${text}\n`).join('')}`)
}
