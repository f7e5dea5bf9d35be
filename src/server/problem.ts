import {STATUS_CODES} from 'node:http'
import type {FastifyError} from 'fastify'
import {ConfigurationError, KvctlError, NetworkError, ResourceError} from '../lib/foundation/index.js'

/** What a route sends instead of an answer. @see RFC 9457 */
export interface ProblemDocument {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  readonly detail: string
  /** Stable, upper-case: the same codes as under `--json` on the command line. */
  readonly code: string
  readonly suggestions: readonly string[]
}

export const PROBLEM_TYPE = 'application/problem+json'

/** A refusal that only HTTP knows: no token, too many streams, a server that ends. */
export class HttpRefusal extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'HttpRefusal'
    this.status = status
    this.code = code
  }
}

/** What is not `defaultStatus`'s. */
const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  SEGMENT_NOT_FOUND: 404,
  GPU_NOT_FOUND: 404,
  BLOCKS_INVALID: 400,
  SEGMENT_FOREIGN: 404,
  SEGMENT_FORBIDDEN: 403,
  SEGMENT_LIVE: 409,
  SEGMENT_LOCKED: 409,
  STARTUP_UNKNOWN: 409,
  LIMIT_PENDING: 409,
  LIMIT_OVERRIDDEN: 409,
}

const CODE_OF_STATUS: Readonly<Record<number, string>> = {
  400: 'REQUEST_INVALID',
  413: 'BODY_TOO_LARGE',
  414: 'URL_TOO_LONG',
  415: 'MEDIA_TYPE_UNSUPPORTED',
}

/** Pure: any failure as the document that a client gets; what nobody foresaw keeps its words to the log. */
export function problemOf(error: unknown): ProblemDocument {
  if (error instanceof HttpRefusal) return document(error.status, error.code, error.message)
  if (error instanceof KvctlError) {
    const status = STATUS_OF_CODE[error.code] ?? defaultStatus(error)
    return document(status, error.code, error.message, error.suggestions)
  }
  const status = error instanceof Error ? (error as Partial<FastifyError>).statusCode : undefined
  if (status !== undefined && status >= 400 && status < 500)
    return document(status, CODE_OF_STATUS[status] ?? 'REQUEST_REFUSED', (error as Error).message)
  return document(500, 'UNEXPECTED', 'The server failed unexpectedly.')
}

function defaultStatus(error: KvctlError): number {
  if (error instanceof ConfigurationError) return 422
  if (error instanceof ResourceError) return 503
  if (error instanceof NetworkError) return 502
  return 500
}

function document(
  status: number,
  code: string,
  detail: string,
  suggestions: readonly string[] = [],
): ProblemDocument {
  return {type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail, code, suggestions}
}
