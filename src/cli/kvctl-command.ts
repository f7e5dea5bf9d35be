import {setMaxListeners} from 'node:events'
import {Command, Errors, Flags, ux} from '@oclif/core'
import {
  canColorLog,
  ConfigurationError,
  createLogger,
  errorDocument,
  InterruptedError,
  isDebug,
  KvctlError,
  logLevel,
  stringifyExact,
  type Logger,
} from '../lib/foundation/index.js'

/** One Ctrl-C can arrive twice: from the terminal, and from npm or timeout(1), which pass it on. */
const SAME_KEY_MS = 300

/**
 * What every command shares: one place where a failure becomes an exit status and either one line on stderr or one JSON
 * document on stdout, one abort signal for Ctrl-C and SIGTERM, and one logger.
 */
export abstract class KvctlCommand extends Command {
  static override baseFlags = {
    'log-level': Flags.option({
      options: ['debug', 'info', 'warn', 'error', 'DEBUG', 'INFO', 'WARN', 'WARNING', 'ERROR'] as const,
      description: 'how much to say on stderr (default INFO; also KVCTL_LOG_LEVEL, LOG_LEVEL)',
      helpGroup: 'GLOBAL',
      helpValue: 'LEVEL',
    })(),
  }

  /** In `kvctl shell` many commands run in one process, which no command may end. */
  static isInShell = false

  #abort: AbortController | null = null
  #release: (() => void)[] = []
  #logger: Logger | null = null

  /**
   * Aborted on the first SIGINT or SIGTERM, with an `InterruptedError` as reason; a second one, from somebody who has
   * waited, ends the process.
   */
  protected get signal(): AbortSignal {
    if (this.#abort) return this.#abort.signal
    const controller = (this.#abort = new AbortController())
    // Many segments are waited on at once, and each wait listens.
    setMaxListeners(0, controller.signal)
    let firstAtMs = 0
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      const onSignal = (): void => {
        const reason = new InterruptedError(name)
        if (!controller.signal.aborted) firstAtMs = performance.now()
        else if (performance.now() - firstAtMs > SAME_KEY_MS && !KvctlCommand.isInShell) {
          process.exit(reason.exitCode)
        }
        controller.abort(reason)
      }
      process.on(name, onSignal)
      this.#release.push(() => process.off(name, onSignal))
    }
    // A reader that left (`kvctl watch | head -1`) ends the work as quietly as Ctrl-C would.
    const onError = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'EPIPE') controller.abort(new InterruptedError('SIGTERM'))
    }
    process.stdout.on('error', onError)
    this.#release.push(() => process.stdout.off('error', onError))
    return controller.signal
  }

  /** Writes to stderr. The level is the flag's, found on the command line even when parsing failed. */
  protected get logger(): Logger {
    // What stands behind -- is for another program.
    const end = this.argv.indexOf('--')
    const words = end < 0 ? this.argv : this.argv.slice(0, end)
    const at = words.findIndex(word => word.startsWith('--log-level'))
    const word = words[at]
    const flag = word?.includes('=') ? word.split('=')[1] : words[at + 1]
    return (this.#logger ??= createLogger(
      logLevel(at < 0 ? undefined : flag, process.env),
      line => process.stderr.write(line),
      canColorLog(process.stderr, process.env),
    ))
  }

  /** One line of progress or advice on stderr, so that stdout stays data. */
  protected note(line: string): void {
    process.stderr.write(`${line}\n`)
  }

  /** One JSON object on a line of its own, for streams under `--json` (oclif mutes `log` then). */
  protected logJsonLine(value: unknown): void {
    process.stdout.write(`${stringifyExact(value)}\n`)
  }

  protected override logJson(result: unknown): void {
    process.stdout.write(`${stringifyExact(result, 2)}\n`)
  }

  /** Only the shell outlives a command; elsewhere the listeners stay, so that a late EPIPE or Ctrl-C is as quiet as an early one. */
  protected override async finally(error: Error | undefined): Promise<void> {
    if (KvctlCommand.isInShell) for (const release of this.#release.splice(0)) release()
    await super.finally(error)
  }

  protected override async catch(error: Error): Promise<void> {
    if (error instanceof Errors.ExitError) throw error
    const failure = asKvctlError(error, this.id ?? '')
    process.exitCode = failure instanceof KvctlError ? failure.exitCode : 1
    if (this.jsonEnabled()) {
      process.stdout.write(`${JSON.stringify(errorDocument(failure), null, 2)}\n`)
    } else {
      printFailure(failure)
    }
    if (isDebug(process.env)) process.stderr.write(`${error.stack ?? ''}\n`)
  }
}

function printFailure(failure: unknown): void {
  const {message, suggestions} = errorDocument(failure).error
  process.stderr.write(`${ux.colorize('red', 'Error:')} ${message}\n`)
  for (const suggestion of suggestions) process.stderr.write(`  Try: ${suggestion}\n`)
}

/** oclif wraps whatever a flag's parser throws, our own errors included, into three lines. */
const WRAPPED = /^Parsing (--\S+) \n\t([\s\S]*)\nSee more help with --help$/

/** oclif's own usage mistakes print its whole configuration under `--json` and leave with 1; ours are one line and 2. */
function asKvctlError(error: Error, id: string): Error {
  const [, flag, why = ''] = WRAPPED.exec(error.message) ?? []
  if (flag !== undefined) error.message = why.includes(flag) ? why : `${flag}: ${why}`
  if (error instanceof KvctlError || (flag === undefined && !(error instanceof Errors.CLIError))) return error
  const message = error.message
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !/^See more help/.test(line))
    .join(' ')
  return new ConfigurationError('USAGE', message, {
    cause: error,
    suggestions: [`kvctl ${id.replaceAll(':', ' ')} --help`],
  })
}
