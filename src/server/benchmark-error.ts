import {STATUS_CODES} from 'node:http'
import {z} from 'zod'
import {KvctlError, ResourceError} from '../lib/foundation/index.js'
import {RequestInvalidError} from '../lib/jobs/index.js'
import {problemOf} from './problem.js'
import {answer} from './schemas/json-schema.js'

/** What a failure of `/api/v1/…` is called. */
const CODE_OF_STATUS: Readonly<Record<number, string>> = {
  400: 'bad_request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  422: 'validation_error',
  429: 'queue_full',
  500: 'internal',
  503: 'unavailable',
}

const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  RUN_NOT_FOUND: 404,
  RUN_INCOMPLETE: 404,
  RUN_ENDED: 409,
  RUN_OPEN: 409,
  KEY_REUSED: 422,
  QUEUE_FULL: 429,
  KUBERNETES_UNAVAILABLE: 503,
}

const benchmarkError = z.strictObject({
  error: z.strictObject({
    code: z.enum(Object.values(CODE_OF_STATUS)),
    message: z.string(),
    details: z.array(z.strictObject({path: z.string(), message: z.string()})),
  }),
  status: z.string().optional().describe('of the run, where that is what stands in the way'),
})
export type BenchmarkError = z.output<typeof benchmarkError>

/** The run is not where the request wants it. */
export class RunOpenError extends ResourceError {
  readonly runStatus: string

  constructor(runId: string, runStatus: string) {
    super('RUN_OPEN', `${runId} is ${runStatus}`)
    this.runStatus = runStatus
  }
}

/** Pure: any failure in the envelope of the benchmark API. */
export function benchmarkErrorOf(error: unknown): {readonly status: number; readonly body: BenchmarkError} {
  const problem = problemOf(error)
  const known = error instanceof KvctlError ? STATUS_OF_CODE[error.code] : undefined
  const isMissed = error instanceof KvctlError && error.exitCode === 5
  const status = known ?? (isMissed ? 422 : problem.status)
  return {
    status,
    body: {
      error: {
        code: CODE_OF_STATUS[status] ?? (status >= 500 ? 'unavailable' : 'bad_request'),
        message: problem.detail,
        details: error instanceof RequestInvalidError ? [...error.details] : [],
      },
      ...(error instanceof RunOpenError && {status: error.runStatus}),
    },
  }
}

/** The failures that a route may answer with, by status. */
export function benchmarkErrors(...statuses: number[]): Record<number, object> {
  return Object.fromEntries(statuses.map(status => [status, answer(STATUS_CODES[status]!, benchmarkError)]))
}
