import type {Clock} from '../foundation/index.js'
import type {ClusterRecord} from '../runs/index.js'
import {SERVICE_KINDS, severalKinds, type AskedService} from './find-service.js'
import {followObjects} from './follow-objects.js'
import type {Cluster} from './kubectl.js'
import {NodeProducts} from './node-products.js'
import {PodHistory} from './pod-history.js'
import type {PodObject} from './readiness.js'
import {podSelector, type ServiceName} from './service-name.js'
import {podsOf} from './watch-service.js'

/** Pods of a service, watched while it is measured. */
export interface PodRecording {
  /** Settles when the pods are seen, or cannot be. */
  readonly seen: Promise<void>
  /** Hands over what is known, at once and again whenever it has changed, at most once a second; nothing before pods were seen. */
  keep(write: (record: ClusterRecord) => Promise<void>): void
  /** Ends the watch and hands over what is new. @returns what kept it from seeing or handing over all; null where nothing did */
  stop(signal: AbortSignal): Promise<unknown>
}

/** Where a service is, what is known of it from earlier parts of a run, and the clocks of this machine. */
export interface RecordedService {
  readonly name: ServiceName
  readonly context: string | null
  readonly earlier: ClusterRecord | null
  readonly clock: Clock
  readonly nowMs: () => number
}

/** A cluster that is away for so long during a run is given up. */
const PATIENCE_MS = 300_000
const KEEP_EVERY_MS = 1000

export function recordPods(cluster: Cluster, service: RecordedService): PodRecording {
  const {name, context, earlier, clock, nowMs} = service
  const history = new PodHistory(earlier?.pods)
  const nodes = new NodeProducts(cluster, earlier?.nodes)
  const stopping = new AbortController()
  let [hasSeen, hasChanged] = [false, false]
  let write: ((record: ClusterRecord) => Promise<void>) | null = null
  let written = ''
  let failure: unknown = null
  let keeping: Promise<void> | null = null
  let tellSeen: () => void = () => undefined
  const seen = new Promise<void>(resolve => (tellSeen = resolve))

  const put = async (): Promise<void> => {
    const record = recordOf(name, context, true, history, nodes)
    const text = JSON.stringify(record)
    if (text === written) return
    await write?.(record)
    written = text
  }
  /** First without what a cluster may be slow to tell of new nodes: a run may be killed meanwhile. */
  const hand = async (signal: AbortSignal): Promise<void> => {
    if (write === null || !hasSeen) return
    await put()
    await nodes.learn(history.nodes(), signal)
    await put()
  }
  const keepUp = async (): Promise<void> => {
    while (hasChanged && !stopping.signal.aborted) {
      hasChanged = false
      await hand(stopping.signal)
      await clock.sleep(KEEP_EVERY_MS, stopping.signal)
    }
  }
  const failed = (error: unknown): void => {
    if (!stopping.signal.aborted) failure ??= error
  }
  const changed = (): void => {
    hasChanged = true
    keeping ??= keepUp()
      .catch(failed)
      .finally(() => {
        keeping = null
        if (hasChanged && !stopping.signal.aborted) changed()
      })
  }
  const look = (pods: readonly object[]): void => {
    history.see(pods as PodObject[], nowMs())
    hasSeen = true
    tellSeen()
    changed()
  }
  const options = {clock, patienceMs: PATIENCE_MS}
  const ended = followObjects(cluster, podsOf(name), options, look, stopping.signal).catch(
    (error: unknown) => {
      failed(error)
      tellSeen()
    },
  )
  return {
    seen,
    keep(to) {
      write = to
      changed()
    },
    async stop(signal) {
      stopping.abort(new Error('not recorded any more'))
      await ended
      await keeping
      await hand(signal).catch((error: unknown) => (failure ??= error))
      return failure
    },
  }
}

/**
 * What a look at the cluster shows now, for a run whose pods nobody watched.
 *
 * @throws ConfigurationError `KIND_MISSING` where services of both kinds have the name and pods
 */
export async function lookAtPods(
  cluster: Cluster,
  asked: AskedService & {readonly context: string | null},
  nowMs: number,
  signal: AbortSignal,
): Promise<ClusterRecord> {
  const kinds = asked.kind === null ? SERVICE_KINDS : [asked.kind]
  const looks = await Promise.all(
    kinds.map(async kind => {
      const name = {...asked, kind}
      return {name, pods: await cluster.list('pods', podSelector(name), asked.namespace, signal)}
    }),
  )
  const found = looks.filter(({pods}) => pods.length > 0)
  if (found.length > 1) throw severalKinds(asked)
  const {name, pods} = found[0] ?? looks[0]!
  const history = new PodHistory()
  history.see(pods as PodObject[], nowMs)
  const nodes = new NodeProducts(cluster)
  await nodes.learn(history.nodes(), signal)
  return recordOf(name, asked.context, false, history, nodes)
}

/** Asks again for nodes that could not be looked at. */
export async function completeNodes(
  cluster: Cluster,
  record: ClusterRecord,
  signal: AbortSignal,
): Promise<ClusterRecord> {
  const names = record.nodes.map(({name}) => name)
  const nodes = new NodeProducts(cluster, record.nodes)
  await nodes.learn(names, signal)
  return {...record, nodes: nodes.records(names)}
}

function recordOf(
  {kind, name, namespace}: ServiceName,
  context: string | null,
  isWatched: boolean,
  history: PodHistory,
  nodes: NodeProducts,
): ClusterRecord {
  return {
    ...{schema_version: 1, namespace, service: name, kind, context, is_watched: isWatched},
    ...{pods: history.records(), nodes: nodes.records(history.nodes())},
  }
}
