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
import type {RemoteServer} from './ask-server.js'
import {orderModel} from './controller-orders.js'

/** What can be put to sleep: an engine by itself, or a model through its controller. */
export type Sleeper =
  | {
      readonly kind: 'engine'
      readonly url: string
      readonly engine: 'vllm' | 'sglang'
      readonly model: string | null
    }
  | {readonly kind: 'model'; readonly name: string; readonly controller: string}

/** What a screen can do to segments, with the refusals of `kvctl limit`, `delete` and `prune`. */
export interface MonitorActions {
  /** @throws as `setLimit` of segments */
  setLimit(host: string, name: string, request: LimitRequest, signal: AbortSignal): Promise<LimitChange>
  /** @throws as `removeSegment` of segments */
  remove(host: string, name: string, signal: AbortSignal): Promise<void>
  /** @returns names of the segments that were removed */
  prune(host: string, signal: AbortSignal): Promise<readonly string[]>
  /**
   * Puts to sleep (vLLM's level 1: weights in host memory, KV cache given back) or wakes.
   *
   * @throws as `sleepEngine` of inference and `ControllerClient.order` of router
   */
  order(host: string, order: 'sleep' | 'wake', sleeper: Sleeper, signal: AbortSignal): Promise<void>
}

/** Long enough for an engine's update, short enough for somebody who watches. */
const LOCK_TIMEOUT_MS = 2000

export interface LocalActionParts {
  readonly segments: SegmentStore
  /** The way to a controller or an engine. */
  readonly server: (url: string) => Promise<RemoteServer>
}

/** Actions on this machine. */
export function localActions({segments, server}: LocalActionParts): MonitorActions {
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
    async order(_, order, sleeper, signal) {
      if (sleeper.kind === 'model')
        return orderModel(await server(sleeper.controller), order, sleeper.name, signal)
      const {url, engine: kind, model} = sleeper
      const {sleepEngine, wakeEngine} = await import('../inference/index.js')
      const act = order === 'sleep' ? sleepEngine : wakeEngine
      await act((await server(url)).http, {kind, url, model: model ?? '', apiKey: null, level: 1}, signal)
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
    order: async (host, ...rest) => at(host).order(host, ...rest),
  }
}
