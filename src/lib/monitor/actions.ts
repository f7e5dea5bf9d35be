import {ResourceError} from '../foundation/index.js'
import {
  pruneSegments,
  removeSegment,
  RESTORE_MARGIN_BYTES,
  setLimit,
  type LimitChange,
  type LimitRequest,
  type SegmentStore,
} from '../segments/index.js'

/** What a screen can do to segments, with the refusals of `kvctl limit`, `delete` and `prune`. */
export interface MonitorActions {
  /** @throws as `setLimit` of segments */
  setLimit(host: string, name: string, request: LimitRequest, signal: AbortSignal): Promise<LimitChange>
  /** @throws as `removeSegment` of segments */
  remove(host: string, name: string, signal: AbortSignal): Promise<void>
  /** @returns names of the segments that were removed */
  prune(host: string, signal: AbortSignal): Promise<readonly string[]>
}

/** Long enough for an engine's update, short enough for somebody who watches. */
const LOCK_TIMEOUT_MS = 2000

/** Actions on this machine. */
export function localActions(segments: SegmentStore): MonitorActions {
  return {
    setLimit: (_, name, request, signal) =>
      setLimit(segments, name, request, {timeoutMs: LOCK_TIMEOUT_MS, signal}),
    async remove(_, name, signal) {
      await removeSegment(segments, name, {isForced: false, signal})
    },
    async prune(_, signal) {
      const findings = await pruneSegments(segments, {isDryRun: false, signal})
      return findings.filter(({isRemoved}) => isRemoved).map(({name}) => name)
    },
  }
}

/**
 * Pure: what brings the limit back that was there before a change. The start-up total goes back in the form that engines act
 * on; any other value was in force, so that it is not refused now.
 */
export function undoOf({before, startupBytes}: Pick<LimitChange, 'before' | 'startupBytes'>): LimitRequest {
  const wasRestored = startupBytes !== null && before.limitBytes - startupBytes === RESTORE_MARGIN_BYTES
  const isStartup = before.limitBytes === startupBytes || wasRestored
  return isStartup ? {limitBytes: null, isForced: false} : {limitBytes: before.limitBytes, isForced: true}
}

/** Actions on several machines, by the name that their looks have. @throws ResourceError `HOST_UNKNOWN` for any other */
export function actionsByHost(hosts: ReadonlyMap<string, MonitorActions>): MonitorActions {
  const at = (host: string): MonitorActions => {
    const actions = hosts.get(host)
    if (actions) return actions
    throw new ResourceError('HOST_UNKNOWN', `nothing can be done to ${host} from here`)
  }
  return {
    setLimit: async (host, ...rest) => at(host).setLimit(host, ...rest),
    remove: async (host, ...rest) => at(host).remove(host, ...rest),
    prune: async (host, ...rest) => at(host).prune(host, ...rest),
  }
}
