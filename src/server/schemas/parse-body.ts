import type * as z from 'zod'
import {ApiError} from '../api-error.js'
import {isLimitIssue} from './sampling.js'

/**
 * @throws ApiError 400 that names the first field at fault: type `BadRequestError` for a broken limit, `Bad Request` for a
 *   wrong shape, as vLLM's two validators have it
 */
export function parseBody<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const issue = deepest(parsed.error.issues[0]!)
  const path = issue.path.join('.')
  if (isLimitIssue(issue)) throw new ApiError(400, issue.message, String(issue.path[0]))
  const where = path === '' ? 'body' : `body.${path}`
  throw new ApiError(400, `1 validation error: ${where}: ${issue.message}`, path || null, 'Bad Request')
}

/** @throws ApiError 400 that names the first parameter at fault */
export function parseQuery<T extends z.ZodType>(schema: T, query: unknown): z.output<T> {
  const parsed = schema.safeParse(query)
  if (parsed.success) return parsed.data
  const {path, message} = parsed.error.issues[0]!
  const name = String(path[0] ?? 'query')
  throw new ApiError(400, `1 validation error: query.${name}: ${message}`, name, 'Bad Request')
}

/** Inside a union the branch that got furthest says what is wrong. */
function deepest(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue
  const inner = issue.errors.flat().find(isLimitIssue)
  return inner ? {...inner, path: [...issue.path, ...inner.path]} : issue
}
