import type {Clock} from '../foundation/index.js'
import type {DeployPlan} from './deploy-plan.js'
import {applyAll, untilServiceReady, type ServiceLook} from './deploy.js'
import {findFormat} from './find-format.js'
import type {Cluster} from './kubectl.js'
import {HUGGING_FACE} from './manifest.js'
import {manifestsOf} from './manifests.js'

export interface DeployOptions {
  /** Whether the plan's format was asked for; else the cluster's spelling counts. */
  readonly isFormatAsked: boolean
  readonly isForced: boolean
  readonly timeoutMs: number
  readonly clock: Clock
}

/**
 * Applies what a plan consists of and waits until it serves.
 *
 * @param tell one line of progress
 * @throws KvctlError as `untilServiceReady`, and as the cluster refuses
 */
export async function deployService(
  cluster: Cluster,
  plan: DeployPlan,
  {isFormatAsked, isForced, timeoutMs, clock}: DeployOptions,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<ServiceLook> {
  await cluster.requireKubectl(signal)
  const {kind, service, namespace} = plan
  let {format} = plan
  if (!isFormatAsked && kind === 'InferenceService') {
    const found = await findFormat(cluster, namespace, signal)
    if (found === null) tell(`Warning: no serving runtime of the cluster declares the format ${format}`)
    else if (found === HUGGING_FACE)
      tell('the cluster has no runtime of vLLM itself: its Hugging Face server runs vLLM')
    format = found ?? format
  }
  const changedAtMs = await applyAll(
    cluster,
    manifestsOf({...plan, format}).manifests,
    {isForced, nowMs: () => Date.now()},
    ({kind: applied, metadata}) => tell(`applied ${applied} ${metadata.name}`),
    signal,
  )
  return untilServiceReady(
    cluster,
    {kind, name: service, namespace},
    {changedAtMs, timeoutMs, clock},
    tell,
    signal,
  )
}
