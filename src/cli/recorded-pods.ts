import {ResourceError} from '../lib/foundation/index.js'
import type {PodRecording} from '../lib/kube/index.js'
import type {ClusterRecord, RunDirectory} from '../lib/runs/index.js'
import {kubernetesCluster} from '../wiring/index.js'
import type {AskedCluster} from './cluster-service.js'

/** What is left to ask of the cluster after a run, which may have been stopped. */
const AFTERWARDS_MS = 30_000

/** Keeps what becomes of the pods in the run while it lasts. */
export function keepPods(recording: PodRecording, run: RunDirectory): void {
  recording.keep(async record => {
    const {writeClusterRecord} = await import('../lib/runs/index.js')
    await writeClusterRecord(run, record)
  })
}

/** Ends a recording. @param run null where none was begun @returns what to tell of it, one line each */
export async function endPods(recording: PodRecording, run: RunDirectory | null): Promise<string[]> {
  const failure = await recording.stop(AbortSignal.timeout(AFTERWARDS_MS))
  if (run === null) return []
  const {readClusterRecord} = await import('../lib/runs/index.js')
  const record = await readClusterRecord(run).catch(() => null)
  const seen = failure instanceof Error ? [`pods were not seen during the whole run: ${failure.message}`] : []
  return [...seen, ...(record === null ? [] : unseenNodes(record))]
}

function unseenNodes({nodes}: ClusterRecord): string[] {
  const reasons = new Set(nodes.flatMap(({unavailable}) => unavailable ?? []))
  return [...reasons].map(
    reason => `the GPUs of its pods are not known: ${reason}; kvctl cost --gpu-type names them`,
  )
}

/**
 * Writes the pods that a service has now into a run that recorded none, and what is missing of their nodes into one that did.
 *
 * @throws ResourceError `PODS_MISSING`; KvctlError as the cluster refuses
 */
export async function recordPodsOf(
  run: RunDirectory,
  asked: AskedCluster,
  signal: AbortSignal,
): Promise<void> {
  const {readClusterRecord, writeClusterRecord} = await import('../lib/runs/index.js')
  const record = await readClusterRecord(run)
  if (record === null) {
    await writeClusterRecord(run, await podsNow(asked, signal))
    return
  }
  if (record.nodes.every(({unavailable}) => unavailable === null)) return
  const {completeNodes} = await import('../lib/kube/index.js')
  const cluster = await kubernetesCluster(asked.context ?? record.context)
  await writeClusterRecord(run, await completeNodes(cluster, record, signal))
}

/** The pods that a service has now. @throws ResourceError `PODS_MISSING`; KvctlError as the cluster refuses */
export async function podsNow(asked: AskedCluster, signal: AbortSignal): Promise<ClusterRecord> {
  const {lookAtPods} = await import('../lib/kube/index.js')
  const {name, namespace, context} = asked
  const record = await lookAtPods(await kubernetesCluster(context), asked, Date.now(), signal)
  if (record.pods.length > 0) return record
  throw new ResourceError('PODS_MISSING', `no pod of '${name}' is in namespace ${namespace}`, {
    suggestions: [`kvctl deploy status --service ${name} --namespace ${namespace}`],
  })
}
