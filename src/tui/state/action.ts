import {formatSize, KvctlError, parseSize} from '../../lib/foundation/index.js'
import {undoOf, type SegmentFigures, type Sleeper} from '../../lib/monitor/index.js'
import {planLimit, type LimitChange, type LimitPlan, type LimitRequest} from '../../lib/segments/index.js'

/** A segment on the screen. */
export type SegmentAddress = SegmentFigures & {readonly host: string}

/** Something on the screen that can be put to sleep and woken. */
export interface SleeperAddress {
  readonly host: string
  readonly sleeper: Sleeper
  readonly isAsleep: boolean
  /** Its requests, running and waiting. */
  readonly busy: number
}

/** Something that is done to what is shown. */
export type ActionRequest =
  | {
      readonly kind: 'limit'
      readonly host: string
      readonly name: string
      readonly request: LimitRequest
      /** Whether it takes a change back; then there is nothing to take back afterwards. */
      readonly isUndo: boolean
    }
  | {readonly kind: 'delete'; readonly host: string; readonly name: string}
  | {readonly kind: 'prune'; readonly host: string}
  | {
      readonly kind: 'sleep' | 'wake'
      readonly host: string
      readonly sleeper: Sleeper
      readonly isUndo: boolean
    }

/** What became of a request. */
export type ActionResult =
  | {readonly kind: 'limit'; readonly change: LimitChange}
  | {readonly kind: 'deleted'}
  | {readonly kind: 'pruned'; readonly names: readonly string[]}
  | {readonly kind: 'obeyed'}
  | {readonly kind: 'failed'; readonly error: unknown}

export interface Message {
  readonly text: string
  readonly tone: 'good' | 'warn' | 'bad'
}

const ANY_INT64 = -(2n ** 63n)

/**
 * Pure: the question before a limit is set.
 *
 * @param text a size, or `restore`
 * @returns the request with its question, or why it is refused
 */
export function askForLimit(
  segment: SegmentAddress,
  text: string,
): {question: string; request: ActionRequest} | {problem: string} {
  try {
    const limitBytes = text.trim().toLowerCase() === 'restore' ? null : parseSize(text, ANY_INT64)
    return questionFor(segment, {limitBytes, isForced: false}, false)
  } catch (error) {
    return {problem: describeFailure(error)}
  }
}

/** @throws as `planLimit` */
export function questionFor(
  segment: SegmentAddress,
  request: LimitRequest,
  isUndo: boolean,
): {question: string; request: ActionRequest} {
  const {name, host, limitBytes, startupBytes} = segment
  const plan = previewOf(segment, request)
  const before = limitBytes === null ? '' : ` from ${formatSize(limitBytes)}`
  const isStartup = request.limitBytes === null && startupBytes !== null
  const after = isStartup ? `its start-up total, ${formatSize(startupBytes)}` : formatSize(plan.limitBytes)
  const remark = plan.explanation === null ? '' : ` (${plan.outcome}: ${plan.explanation})`
  return {
    question: `${isUndo ? 'Take back: set' : 'Set'} the limit of ${name}${before} to ${after}?${remark}`,
    request: {kind: 'limit', host, name, request, isUndo},
  }
}

/**
 * Pure: the question before something is put to sleep or woken. What has requests stays awake, as with `kvctl sleep`.
 *
 * @returns the request with its question, or why it is refused
 */
export function askForOrder(
  {host, sleeper, isAsleep, busy}: SleeperAddress,
  order: 'sleep' | 'wake',
  isUndo: boolean,
): {question: string; request: ActionRequest} | {problem: string} {
  const name = nameOf(sleeper)
  // What was done a moment ago may not be seen yet.
  if (!isUndo && (order === 'sleep') === isAsleep)
    return {problem: `${name} is ${isAsleep ? 'asleep' : 'awake'} already`}
  if (order === 'sleep' && busy > 0)
    return {problem: `${name} has ${busy} ${busy === 1 ? 'request' : 'requests'}, which sleep would abort`}
  const way = sleeper.kind === 'model' ? '' : ` at ${sleeper.url}`
  const what =
    order === 'sleep' ? `Put ${name}${way} to sleep (it gives its KV cache back)?` : `Wake ${name}${way}?`
  return {
    question: isUndo ? `Take back: ${what}` : what,
    request: {kind: order, host, sleeper, isUndo},
  }
}

function nameOf(sleeper: Sleeper): string {
  return sleeper.kind === 'model' ? sleeper.name : (sleeper.model ?? sleeper.url)
}

function previewOf(segment: SegmentAddress, request: LimitRequest): LimitPlan {
  const bytes = (value: number | null): bigint => BigInt(Math.trunc(value ?? 0))
  const {name, limitBytes, usedBytes, preallocBytes, startupBytes} = segment
  const record = {
    limitBytes: bytes(limitBytes),
    usedBytes: bytes(usedBytes),
    preallocBytes: bytes(preallocBytes),
  }
  return planLimit(name, record, startupBytes === null ? null : bytes(startupBytes), request)
}

/** Pure: what to say of a result, and what would take it back. */
export function conclude(
  request: ActionRequest,
  result: ActionResult,
): {message: Message; undo: ActionRequest | null} {
  const say = (text: string, tone: Message['tone'] = 'good'): {message: Message; undo: null} => ({
    message: {text, tone},
    undo: null,
  })
  switch (result.kind) {
    case 'failed':
      return say(describeFailure(result.error), 'bad')
    case 'deleted':
      return say(request.kind === 'delete' ? `Deleted ${request.name}.` : 'Deleted.')
    case 'pruned':
      return result.names.length === 0
        ? say('Nothing pruned: no engine is proven dead.')
        : say(`Pruned ${result.names.join(', ')}.`)
    case 'obeyed': {
      if (request.kind !== 'sleep' && request.kind !== 'wake') return say('Done.')
      const isSleep = request.kind === 'sleep'
      const text = `${nameOf(request.sleeper)} is ${isSleep ? 'asleep' : 'awake'}.`
      if (request.isUndo) return say(text)
      return {
        message: {text, tone: 'good'},
        undo: {...request, kind: isSleep ? 'wake' : 'sleep', isUndo: true},
      }
    }
    case 'limit': {
      const {name, limitBytes, outcome, explanation} = result.change
      const remark = explanation === null ? '' : `: ${explanation}`
      const text = `Limit of ${name} is ${formatSize(limitBytes)}, ${outcome}${remark}.`
      const tone = outcome === 'ignored' ? 'warn' : 'good'
      if (request.kind !== 'limit' || request.isUndo) return say(text, tone)
      const undo = {...request, request: undoOf(result.change), isUndo: true}
      return {message: {text, tone}, undo}
    }
  }
}

/** One sentence, and the first thing to try that is no command line. */
export function describeFailure(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const hint =
    error instanceof KvctlError ? error.suggestions.find(text => !text.startsWith('kvctl')) : undefined
  return hint === undefined || hint.startsWith('--') ? message : `${message}; ${hint}`
}

export function describeAction(request: ActionRequest): string {
  switch (request.kind) {
    case 'limit':
      return `Setting the limit of ${request.name}`
    case 'delete':
      return `Looking for an engine behind ${request.name}`
    case 'sleep':
      return `Putting ${nameOf(request.sleeper)} to sleep`
    case 'wake':
      return `Waking ${nameOf(request.sleeper)}`
    case 'prune':
      return 'Looking for engines behind every segment'
  }
}
