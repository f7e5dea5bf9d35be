import {createRequire} from 'node:module'
import type {pino as Pino} from 'pino'

/** From the most talkative to the quietest. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** What a part needs in order to say something about itself; never secrets, never request bodies. */
export interface Logger {
  /** From which level on it speaks; may be set. Missing where that is somebody else's to decide. */
  level?: LogLevel
  /** For whoever looks for a fault. */
  debug(message: string): void
  /** What happened as it should. */
  info(message: string): void
  /** What did not, without being in the way. */
  warn(message: string): void
  /** What failed. */
  error(message: string): void
}

/** A level by any of its usual names; null for what is none. */
export function parseLogLevel(name: string): LogLevel | null {
  return NAMES[name.trim().toLowerCase()] ?? null
}

const NAMES: Readonly<Record<string, LogLevel>> = {
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  critical: 'error',
}

/**
 * The level in force: `--log-level`, then `KVCTL_LOG_LEVEL`, `LOG_LEVEL`, `KVCACHED_LOG_LEVEL`, then INFO;
 * `KVMINI_DEBUG=true` means DEBUG whatever the others say. WARN and WARNING are one level; an unknown name counts as unset.
 */
export function logLevel(flag: string | undefined, environment: NodeJS.ProcessEnv): LogLevel {
  if (isDebug(environment)) return 'debug'
  const asked = [
    flag,
    environment['KVCTL_LOG_LEVEL'],
    environment['LOG_LEVEL'],
    environment['KVCACHED_LOG_LEVEL'],
  ]
  for (const name of asked) {
    const level = parseLogLevel(name ?? '')
    if (level) return level
  }
  return 'info'
}

/** `KVMINI_DEBUG=true`: DEBUG level, and stack traces on stderr. */
export function isDebug(environment: NodeJS.ProcessEnv): boolean {
  return environment['KVMINI_DEBUG']?.trim().toLowerCase() === 'true'
}

/** Colour in front of log lines: on a terminal, unless `NO_COLOR` is set or `KVCACHED_LOG_COLOR` is anything but true. */
export function canColorLog(stream: {readonly isTTY?: boolean}, environment: NodeJS.ProcessEnv): boolean {
  const asked = (environment['KVCACHED_LOG_COLOR'] || 'true').toLowerCase()
  return stream.isTTY === true && environment['NO_COLOR'] === undefined && asked === 'true'
}

/**
 * A logger of text lines, `[kvctl][LEVEL][YYYY-MM-DD HH:MM:SS] message`, the form kvcached's users already filter for.
 *
 * @param write receives whole lines; in the program that is stderr, which stays free of data
 * @param hasColor paints what stands before the message by its level
 */
export function createLogger(level: LogLevel, write: (line: string) => void, hasColor = false): Logger {
  let logger: LineLogger | null = null
  let current = level
  // pino costs 20 ms to load: most commands end without a line of log.
  const open = (): LineLogger => (logger ??= openPino(current, write, hasColor))
  return {
    get level() {
      return current
    },
    set level(next) {
      current = next
      if (logger) logger.level = next
    },
    debug: message => {
      if (current === 'debug') open().debug(message)
    },
    info: message => open().info(message),
    warn: message => open().warn(message),
    error: message => open().error(message),
  }
}

const COLORS = {DEBUG: '\u001B[36m', INFO: '\u001B[32m', WARNING: '\u001B[33m', ERROR: '\u001B[31m'} as const
const RESET = '\u001B[0m'

type LineLogger = Omit<Logger, 'level'> & {level: string}

function openPino(level: LogLevel, write: (line: string) => void, hasColor: boolean): LineLogger {
  const {pino} = createRequire(import.meta.url)('pino') as {pino: typeof Pino}
  return pino(
    {level, base: null},
    {
      write(json: string) {
        const {level: rank, time, msg} = JSON.parse(json) as {level: number; time: number; msg: string}
        const name = rank >= 50 ? 'ERROR' : rank >= 40 ? 'WARNING' : rank >= 30 ? 'INFO' : 'DEBUG'
        const stamp = new Date(time).toISOString().slice(0, 19).replace('T', ' ')
        const head = `[kvctl][${name}][${stamp}]`
        write(`${hasColor ? `${COLORS[name]}${head}${RESET}` : head} ${msg}\n`)
      },
    },
  )
}

/** Says nothing; for tests and for library use. */
export const silentLogger: Logger = {debug() {}, info() {}, warn() {}, error() {}}
