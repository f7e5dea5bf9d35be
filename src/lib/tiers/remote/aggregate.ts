import type {CacheReply} from '../answers/reply.js'
import {CACHE_OPERATIONS, type CacheOperation} from '../operations.js'
import {fieldsOf} from '../../foundation/index.js'
import {complaintOf, refusedSettings} from './reply-words.js'

/** What one process answered; without a status it did not. */
export interface TargetReply {
  readonly url: string
  readonly status: number | null
  readonly body: unknown
}

/** Figures that add up over ranks, and those of which the least counts: a prefix is of use only where every rank has it. */
const SUMMED = [
  ...['num_removed', 'num_chunks_removed', 'skipped_pinned', 'loaded_chunks', 'total_files'],
  'unhealthy_count',
]
const LEAST = ['num_retrieved', 'num_stored']
/** Lists of what went wrong. */
const JOINED = ['failed_keys', 'unhealthy_threads']

/** Whether it did what was asked. */
export function isDone({status, body}: TargetReply): boolean {
  return status !== null && status < 400 && Object.keys(refusedSettings(body)).length === 0
}

/** Whether the process is one that has no part in the operation: a scheduler asked for KV, a rank asked for statistics. */
export function isElsewhere(operation: CacheOperation, {status}: TargetReply): boolean {
  return status === 503 && CACHE_OPERATIONS[operation].audience !== 'all'
}

/**
 * Pure: many answers as one. It is a success only where every process that the operation concerns did it; `targets` says who
 * answered what.
 */
export function aggregate(operation: CacheOperation, replies: readonly TargetReply[]): CacheReply {
  const [only] = replies
  if (only !== undefined && replies.length === 1) {
    if (only.status === null) return {status: 504, body: failed([only], replies)}
    // A partial change is none, whatever the status says.
    return {status: isDone(only) ? only.status : Math.max(400, only.status), body: only.body}
  }
  const concerned = replies.filter(reply => !isElsewhere(operation, reply))
  const asked = concerned.length > 0 ? concerned : replies
  const bad = asked.filter(reply => !isDone(reply))
  if (bad.length > 0)
    return {status: bad[0]!.status === null ? 504 : Math.max(400, bad[0]!.status), body: failed(bad, replies)}
  const bodies = asked.map(({body}) => fieldsOf(body))
  const combined: Record<string, unknown> = {...bodies[0]}
  for (const [names, combine] of [
    [SUMMED, (values: number[]) => values.reduce((sum, value) => sum + value, 0)],
    [LEAST, (values: number[]) => Math.min(...values)],
  ] as const) {
    for (const name of names) {
      const values = bodies.map(body => body[name]).filter(value => typeof value === 'number')
      if (values.length > 0) combined[name] = combine(values)
    }
  }
  for (const name of JOINED) {
    const lists = bodies.map(body => body[name]).filter(list => Array.isArray(list))
    if (lists.length > 0) combined[name] = lists.flat()
  }
  if ('healthy' in combined) combined['healthy'] = bodies.every(({healthy}) => healthy === true)
  if (typeof asked[0]!.body === 'string') return {status: 200, body: asked[0]!.body}
  return {status: 200, body: {...combined, targets: replies.map(targetJson)}}
}

function failed(bad: readonly TargetReply[], all: readonly TargetReply[]): Record<string, unknown> {
  return {
    error: `${bad.length} of ${all.length} cache workers failed`,
    message: bad.map(reply => whoAndWhat(reply)).join('; '),
    targets: all.map(targetJson),
  }
}

/** Why nothing came already names the address. */
function whoAndWhat(reply: TargetReply): string {
  return reply.status === null ? complaintIn(reply) : `${reply.url}: ${complaintIn(reply)}`
}

/** What went wrong there. */
export function complaintIn({status, body}: TargetReply): string {
  if (status === null) return String(body)
  const isPartial = Object.keys(refusedSettings(body)).length > 0
  return isPartial ? complaintOf(body) : `HTTP ${status}, ${complaintOf(body)}`
}

function targetJson({url, status, body}: TargetReply): Record<string, unknown> {
  return {url, status, ...(status === null ? {error: String(body)} : {body})}
}
