import {ConfigurationError, formatSize, ResourceError} from '../foundation/index.js'
import {heldBytes, type SegmentRecord} from './record.js'

/**
 * What becomes of a written limit.
 *
 * - `applied`: a lower limit that used + preallocated memory already respects
 * - `pending`: a lower limit that the engine has not reached yet; it acts on its next allocation or free
 * - `written`: a higher limit; nothing in the segment shows whether the engine took it
 * - `ignored`: the engine is known not to act on this value
 */
export type LimitOutcome = 'applied' | 'pending' | 'written' | 'ignored'

/** What a limit that somebody asked for comes to. */
export interface LimitPlan {
  /** What goes into the record. */
  readonly limitBytes: bigint
  readonly outcome: LimitOutcome
  /** One sentence for people; null when the outcome speaks for itself. */
  readonly explanation: string | null
}

/** A limit that somebody asks for. */
export interface LimitRequest {
  /** null restores the start-up total. */
  readonly limitBytes: bigint | null
  readonly isForced: boolean
}

/**
 * Added to a restored total. Engines compare a limit with their start-up total and take the exact value for "no limit
 * set", so a pool that was shrunk stays small. 4096 / (layers × KV buffers) is above 0 and below a page: the page count
 * comes out as at start-up, on engines with and without that fault.
 *
 * @see ovg-project/kvcached:csrc/page_allocator.cpp — check_and_get_resize_target; issue #498
 */
export const RESTORE_MARGIN_BYTES = 4096n

const SMALLEST_PAGE_BYTES = 2n * 1024n * 1024n

/**
 * Pure: what a requested limit means for a segment as it is now.
 *
 * @param startupBytes the remembered start-up total; null when unknown
 * @throws ConfigurationError `LIMIT_TOO_SMALL`, `LIMIT_ABOVE_STARTUP` unless forced
 * @throws ResourceError `STARTUP_UNKNOWN` when there is nothing to restore
 */
export function planLimit(
  name: string,
  record: SegmentRecord,
  startupBytes: bigint | null,
  {limitBytes, isForced}: LimitRequest,
): LimitPlan {
  if (limitBytes === null) return planRestore(name, record, startupBytes)
  if (!isForced) refuseTooSmall(name, record, limitBytes)
  if (!isForced) refuseAboveStartup(name, startupBytes, limitBytes)
  if (limitBytes < RESTORE_MARGIN_BYTES) {
    const explanation = 'engines ignore a limit this small and keep their previous one'
    return {limitBytes, outcome: 'ignored', explanation}
  }
  const isBackAtStartup = limitBytes === startupBytes && record.limitBytes < startupBytes
  if (isBackAtStartup) {
    const explanation =
      "engines take exactly the start-up total for 'no limit set' and stay shrunk; --restore writes a value that grows them back"
    return {limitBytes, outcome: 'ignored', explanation}
  }
  const outcome = outcomeOf(record, limitBytes)
  return {limitBytes, outcome, explanation: explain(record, outcome)}
}

/** Pure: how far a limit has got, judged by the figures that the engine publishes. */
export function outcomeOf(record: SegmentRecord, limitBytes: bigint): 'applied' | 'pending' | 'written' {
  if (limitBytes > record.limitBytes) return 'written'
  return heldBytes(record) <= limitBytes ? 'applied' : 'pending'
}

function planRestore(name: string, record: SegmentRecord, startupBytes: bigint | null): LimitPlan {
  if (startupBytes === null) {
    throw new ResourceError('STARTUP_UNKNOWN', `the start-up total of '${name}' was never seen`, {
      suggestions: [`kvctl limit ${name} SIZE`],
    })
  }
  const limitBytes = startupBytes + RESTORE_MARGIN_BYTES
  const outcome = outcomeOf(record, limitBytes)
  return {limitBytes, outcome, explanation: explain(record, outcome)}
}

function explain(record: SegmentRecord, outcome: LimitOutcome): string | null {
  if (outcome === 'written') return 'the segment does not show whether the engine took a higher limit'
  if (outcome !== 'pending') return null
  return `the engine still holds ${formatSize(heldBytes(record))}; it acts on its next allocation or free`
}

/** Traps T2: such a limit is ignored by the engine, and one of 0 hides the segment from every tool. */
function refuseTooSmall(name: string, record: SegmentRecord, limitBytes: bigint): void {
  if (limitBytes >= RESTORE_MARGIN_BYTES) return
  throw new ConfigurationError(
    'LIMIT_TOO_SMALL',
    `a limit of ${limitBytes} bytes would be ignored by the engine of '${name}', which keeps its previous one`,
    {suggestions: [`kvctl limit ${name} ${bundleBytes(record)} (about one page of every layer)`, '--force']},
  )
}

/** Traps T3–T5: above its start-up total an engine hands out blocks past its tables, pages twice, or aborts. */
function refuseAboveStartup(name: string, startupBytes: bigint | null, limitBytes: bigint): void {
  if (startupBytes === null || limitBytes <= startupBytes) return
  throw new ConfigurationError(
    'LIMIT_ABOVE_STARTUP',
    `${formatSize(limitBytes)} (${limitBytes} bytes) is above the start-up total of '${name}', ${formatSize(startupBytes)} (${startupBytes} bytes), and could crash its engine`,
    {
      suggestions: [
        `kvctl limit ${name} --restore`,
        '--force, if the engine is known to have started with more',
      ],
    },
  )
}

/** Used and preallocated memory are whole page bundles, so their greatest common divisor is one or a few of them. */
function bundleBytes({usedBytes, preallocBytes}: SegmentRecord): bigint {
  let [a, b] = [usedBytes, preallocBytes]
  while (b > 0n) [a, b] = [b, a % b]
  return a > SMALLEST_PAGE_BYTES ? a : SMALLEST_PAGE_BYTES
}
