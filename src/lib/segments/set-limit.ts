import {formatSize, ResourceError, type Clock} from '../foundation/index.js'
import {outcomeOf, planLimit, type LimitPlan, type LimitRequest} from './plan-limit.js'
import {heldBytes, type SegmentRecord} from './record.js'
import type {SegmentStore} from './store.js'

/** A limit that was written, and what becomes of it. */
export interface LimitChange extends LimitPlan {
  readonly name: string
  readonly before: SegmentRecord
  readonly startupBytes: bigint | null
}

/** How long to wait, on which clock, and who may end it. */
export interface Patience {
  readonly clock: Clock
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * Reads the record, asks {@link planLimit} and writes the limit, all under one lock.
 *
 * @throws as `planLimit` and `SegmentStore.writeLimit`; nothing is written then
 */
export async function setLimit(
  store: SegmentStore,
  name: string,
  request: LimitRequest,
  {signal, timeoutMs}: Omit<Patience, 'clock'>,
): Promise<LimitChange> {
  let change: LimitChange | null = null
  const decide = (look: {name: string; record: SegmentRecord; startupBytes: bigint | null}): bigint => {
    const {name, record, startupBytes} = look
    change = {name, before: record, startupBytes, ...planLimit(name, record, startupBytes, request)}
    return change.limitBytes
  }
  await store.writeLimit(name, decide, signal, timeoutMs)
  return change!
}

const LOOK_EVERY_MS = 50

/**
 * Waits until the engine holds no more than a pending limit. Any other outcome is final already.
 *
 * @throws ResourceError `LIMIT_PENDING` when the time is over, `LIMIT_OVERRIDDEN` when somebody set another limit
 */
export async function awaitLimit(
  store: SegmentStore,
  change: LimitChange,
  {clock, timeoutMs, signal}: Patience,
): Promise<LimitChange> {
  if (change.outcome !== 'pending') return change
  const {name, limitBytes} = change
  const deadline = clock.nowNs() + timeoutMs * 1e6
  for (;;) {
    const {record} = await store.read(name)
    if (record.limitBytes !== limitBytes) {
      const now = `${formatSize(record.limitBytes)} (${record.limitBytes} bytes)`
      throw new ResourceError('LIMIT_OVERRIDDEN', `somebody set the limit of '${name}' to ${now} meanwhile`)
    }
    if (outcomeOf(record, limitBytes) === 'applied') return {...change, outcome: 'applied', explanation: null}
    if (clock.nowNs() >= deadline) {
      throw new ResourceError(
        'LIMIT_PENDING',
        `the limit is written, but the engine of '${name}' still holds ${formatSize(heldBytes(record))}`,
        {suggestions: ['send it a request: an idle engine keeps its memory until its next allocation']},
      )
    }
    await clock.sleep(LOOK_EVERY_MS, signal)
  }
}
