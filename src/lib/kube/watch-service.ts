import type {Clock} from '../foundation/index.js'
import {followObjects, type Followed} from './follow-objects.js'
import type {Cluster} from './kubectl.js'
import type {PodObject, ServiceObject} from './readiness.js'
import {podSelector, servicePath, type ServiceName} from './service-name.js'

/** What is known of a service at the moment; null until it was looked at. */
export interface WatchedService {
  readonly service: ServiceObject | null
  readonly pods: readonly PodObject[]
}

export interface ServiceWatch {
  /** The newest picture; null until both lists have come. */
  readonly now: WatchedService | null
  /** Settles at the next change, or after `ms`. @throws what the cluster says when it answers no more */
  next(ms: number): Promise<void>
  /** Ends both watches. */
  stop(): Promise<void>
}

/** A cluster may be away for so long in the middle of a wait. */
const PATIENCE_MS = 60_000

/** Watches a service and its pods. */
export function watchService(
  cluster: Cluster,
  name: ServiceName,
  clock: Clock,
  signal: AbortSignal,
): ServiceWatch {
  const stopping = new AbortController()
  const until = AbortSignal.any([signal, stopping.signal])
  let service: ServiceObject | null | undefined
  let pods: readonly PodObject[] | undefined
  let failure: {readonly error: unknown} | null = null
  let wake: () => void = () => undefined
  const follow = async (followed: Followed, changed: (objects: readonly object[]) => void): Promise<void> => {
    const told = (objects: readonly object[]): void => {
      changed(objects)
      wake()
    }
    await followObjects(cluster, followed, {clock, patienceMs: PATIENCE_MS}, told, until).catch(
      (error: unknown) => {
        failure ??= {error}
        wake()
      },
    )
  }
  const ended = Promise.all([
    follow({path: servicePath(name), fieldSelector: `metadata.name=${name.name}`}, ([one]) => {
      service = (one as ServiceObject | undefined) ?? null
    }),
    follow(podsOf(name), objects => (pods = objects as PodObject[])),
  ])
  return {
    get now() {
      return service === undefined || pods === undefined ? null : {service, pods}
    },
    async next(ms) {
      if (failure === null) {
        const slept = new AbortController()
        const changed = new Promise<void>(resolve => (wake = resolve))
        await Promise.race([changed, clock.sleep(ms, slept.signal).catch(() => undefined)])
        slept.abort()
      }
      signal.throwIfAborted()
      if (failure !== null) throw (failure as {error: unknown}).error
    },
    async stop() {
      stopping.abort(new Error('not watched any more'))
      await ended
    },
  }
}

export function podsOf(name: ServiceName): Followed {
  return {path: `/api/v1/namespaces/${name.namespace}/pods`, labelSelector: podSelector(name)}
}
