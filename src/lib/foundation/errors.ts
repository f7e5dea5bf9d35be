/** What a failure is called, how a program leaves because of it, and what the reader can do next. */
export interface ErrorOptionsKvctl {
  readonly suggestions?: readonly string[]
  readonly cause?: unknown
}

/** Exit statuses promised to scripts; the README repeats this table and a test compares the two. */
export const EXIT = {
  ok: 0,
  general: 1,
  configuration: 2,
  network: 3,
  resource: 4,
  validation: 5,
  interrupted: 130,
  terminated: 143,
} as const

/**
 * A failure that kvctl foresaw. `code` is stable and upper-case; the message is one sentence that names the value.
 * Subclasses give the exit status; anything that is not a `KvctlError` leaves with 1.
 */
export abstract class KvctlError extends Error {
  abstract readonly exitCode: number
  readonly code: string
  readonly suggestions: readonly string[]

  constructor(code: string, message: string, options: ErrorOptionsKvctl = {}) {
    super(message, options.cause === undefined ? undefined : {cause: options.cause})
    this.name = new.target.name
    this.code = code
    this.suggestions = options.suggestions ?? []
  }
}

/** A bad flag, argument, profile or configuration file. */
export class ConfigurationError extends KvctlError {
  readonly exitCode = EXIT.configuration
}

/** A server, cluster or peer could not be reached or did not answer in time. */
export class NetworkError extends KvctlError {
  readonly exitCode = EXIT.network
}

/** Something that should exist, be free or be permitted is not: a segment, a port, a device, disk space. */
export class ResourceError extends KvctlError {
  readonly exitCode = EXIT.resource
}

/** The work is sound; its result misses a rule that the user set. */
export class ValidationError extends KvctlError {
  readonly exitCode = EXIT.validation
}

/** Work was cut short by a signal. */
export class InterruptedError extends KvctlError {
  readonly exitCode: number

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(signal === 'SIGINT' ? 'INTERRUPTED' : 'TERMINATED', `stopped by ${signal}`)
    this.exitCode = signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated
  }
}

/** The one JSON shape of a failure on stdout under `--json`. */
export interface ErrorDocument {
  readonly error: {code: string; message: string; exit_code: number; suggestions: readonly string[]}
}

/** @returns the wire shape of any thrown value; unforeseen ones get code `UNEXPECTED` and exit status 1 */
export function errorDocument(error: unknown): ErrorDocument {
  if (error instanceof KvctlError) {
    const {code, message, exitCode, suggestions} = error
    return {error: {code, message, exit_code: exitCode, suggestions}}
  }
  const message = error instanceof Error ? error.message : String(error)
  return {error: {code: 'UNEXPECTED', message, exit_code: EXIT.general, suggestions: []}}
}

/** @returns true when `error` is a system error with the given `code`, such as `ENOENT` */
export function isSystemError(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}
