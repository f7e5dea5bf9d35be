import {STATUS_CODES} from 'node:http'
import {z} from 'zod'
import {PROBLEM_TYPE} from '../problem.js'
import {answer, integer} from './json-schema.js'

const problem = z.strictObject({
  type: z.literal('about:blank'),
  title: z.string(),
  status: integer,
  detail: z.string(),
  code: z.string().describe('stable, upper-case; the same as under --json on the command line'),
  suggestions: z.array(z.string()),
})

/** The problem documents a route may answer with, by status. */
export function problems(...statuses: number[]): Record<number, object> {
  return Object.fromEntries(
    statuses.map(status => [status, answer(STATUS_CODES[status]!, problem, PROBLEM_TYPE)]),
  )
}
