import type {Hook} from '@oclif/core'
import {closest} from 'fastest-levenshtein'
import {ConfigurationError, errorDocument} from '../../lib/foundation/index.js'

/** An unknown command is a usage mistake like any other: exit 2, one line, the nearest name; never a prompt. */
const hook: Hook.CommandNotFound = async function ({argv = [], config, id}) {
  const asked = id.replaceAll(':', ' ')
  const names = config.commands
    .filter(command => !command.hidden)
    .map(command => command.id.replaceAll(':', ' '))
  const error = new ConfigurationError('UNKNOWN_COMMAND', `'${asked}' is not a kvctl command`, {
    suggestions: [`kvctl ${closest(asked, names)}`, 'kvctl --help'],
  })
  const {message, suggestions} = error
  if (argv.includes('--json')) process.stdout.write(`${JSON.stringify(errorDocument(error), null, 2)}\n`)
  else process.stderr.write(`Error: ${message}\n${suggestions.map(line => `  Try: ${line}\n`).join('')}`)
  process.exit(error.exitCode)
}

export default hook
