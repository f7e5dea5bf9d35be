import type {Clock} from '../foundation/index.js'
import type {ClusterRecord} from '../runs/index.js'
import {SERVICE_KINDS, severalKinds, type AskedService} from './find-service.js'
import {followObjects} from './follow-objects.js'
import type {Cluster} from './kubectl.js'
import {PodHistory} from './pod-history.js'
import type {PodObject} from './readiness.js'
import {podSelector, type ServiceName} from './service-name.js'
import {podsOf} from './watch-service.js'

/** Pods of a service, watched while it is measured. */
export interface PodRecording {
  /** Settles when the pods are seen, or cannot be. */
  readonly seen: Promise<void>
  /** Ends the watch without asking for anything more. */
  end(): Promise<void>
  /** Ends the watch. @returns null where the pods could never be seen */
  stop(signal: AbortSignal): Promise<{readonly record: ClusterRecord | null; readonly failure: unknown}>
}

interface NodeObject {
  readonly metadata: {readonly name: string; readonly labels?: Readonly<Record<string, string>>}
}

/** A cluster that is away for so long during a run is given up. */
const PATIENCE_MS = 300_000
/** @see NVIDIA/k8s-device-plugin:internal/lm/resource.go */
const PRODUCT_LABELS = ['nvidia.com/gpu.product', 'nvidia.com/gpu.product.name', 'nvidia.com/gpu.family']

export function recordPods(
  cluster: Cluster,
  name: ServiceName,
  {clock, nowMs}: {readonly clock: Clock; readonly nowMs: () => number},
): PodRecording {
  const history = new PodHistory()
  const stopping = new AbortController()
  let hasSeen = false
  let failure: unknown = null
  let tellSeen: () => void = () => undefined
  const seen = new Promise<void>(resolve => (tellSeen = resolve))
  const look = (pods: readonly object[]): void => {
    history.see(pods as PodObject[], nowMs())
    hasSeen = true
    tellSeen()
  }
  const options = {clock, patienceMs: PATIENCE_MS}
  const ended = followObjects(cluster, podsOf(name), options, look, stopping.signal).catch(
    (error: unknown) => {
      if (!stopping.signal.aborted) failure = error
      tellSeen()
    },
  )
  const end = async (): Promise<void> => {
    stopping.abort(new Error('not recorded any more'))
    await ended
  }
  return {
    ...{seen, end},
    async stop(signal) {
      await end()
      if (!hasSeen) return {record: null, failure}
      return {record: await recordOf(cluster, name, history, true, signal), failure}
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
  asked: AskedService,
  nowMs: number,
  signal: AbortSignal,
): Promise<ClusterRecord> {
  const kinds = asked.kind === null ? SERVICE_KINDS : [asked.kind]
  const {namespace} = asked
  const looks = await Promise.all(
    kinds.map(async kind => {
      const name = {...asked, kind}
      return {name, pods: await cluster.list('pods', podSelector(name), namespace, signal)}
    }),
  )
  const found = looks.filter(({pods}) => pods.length > 0)
  if (found.length > 1) throw severalKinds(asked)
  const {name, pods} = found[0] ?? looks[0]!
  const history = new PodHistory()
  history.see(pods as PodObject[], nowMs)
  return recordOf(cluster, name, history, false, signal)
}

async function recordOf(
  cluster: Cluster,
  {name, namespace}: ServiceName,
  history: PodHistory,
  isWatched: boolean,
  signal: AbortSignal,
): Promise<ClusterRecord> {
  const pods = history.records()
  const wanted = new Set(pods.flatMap(({node}) => node ?? []))
  const nodes = wanted.size === 0 ? [] : ((await cluster.list('nodes', null, null, signal)) as NodeObject[])
  return {
    ...{schema_version: 1, namespace, service: name, is_watched: isWatched, pods},
    nodes: nodes
      .filter(({metadata}) => wanted.has(metadata.name))
      .map(({metadata: {name: node, labels = {}}}) => ({
        name: node,
        gpu_product: PRODUCT_LABELS.flatMap(label => labels[label] ?? [])[0] ?? null,
      })),
  }
}
