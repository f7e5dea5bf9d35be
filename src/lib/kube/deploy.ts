import type {Clock} from '../foundation/index.js'
import type {Cluster} from './kubectl.js'
import type {Manifest} from './manifest.js'
import {
  judgeReadiness,
  notReady,
  podTroubles,
  type PodObject,
  type ReadinessInput,
  type ServiceObject,
} from './readiness.js'

export const RESOURCE = {
  InferenceService: 'inferenceservices.serving.kserve.io',
  LLMInferenceService: 'llminferenceservices.serving.kserve.io',
} as const
export type ServiceKind = keyof typeof RESOURCE

/** A service of one of the two kinds, by its name. */
export interface ServiceName {
  readonly kind: ServiceKind
  readonly name: string
  readonly namespace: string
}

const SELECTOR: Readonly<Record<ServiceKind, (name: string) => string>> = {
  InferenceService: name => `serving.kserve.io/inferenceservice=${name}`,
  LLMInferenceService: name => `app.kubernetes.io/part-of=llminferenceservice,app.kubernetes.io/name=${name}`,
}
const LOOK_MS = 1000

/** Everything that a look at a service shows. */
export interface ServiceLook {
  readonly service: ServiceObject
  readonly pods: readonly PodObject[]
  readonly logs: ReadonlyMap<string, string>
}

/** @returns null where there is no such service */
export async function lookAtService(
  cluster: Cluster,
  name: ServiceName,
  signal: AbortSignal,
): Promise<ServiceLook | null> {
  const service = await cluster.get(RESOURCE[name.kind], name.name, name.namespace, signal)
  if (service === null) return null
  const pods = (await cluster.list(
    'pods',
    SELECTOR[name.kind](name.name),
    name.namespace,
    signal,
  )) as PodObject[]
  const logs = new Map<string, string>()
  for (const {pod, container, kind} of podTroubles(pods)) {
    if (container === null || kind === 'image' || kind === 'unschedulable') continue
    logs.set(`${pod}/${container}`, await cluster.logs(pod, container, name.namespace, signal))
  }
  return {service: service as ServiceObject, pods, logs}
}

/**
 * Applies manifests in their order.
 *
 * @returns when the service was changed, Unix ms; null where it is as it was
 */
export async function applyAll(
  cluster: Cluster,
  manifests: readonly Manifest[],
  options: {readonly isForced: boolean; readonly nowMs: () => number},
  applied: (manifest: Manifest) => void,
  signal: AbortSignal,
): Promise<number | null> {
  let changedAtMs: number | null = null
  for (const manifest of manifests) {
    const {kind, metadata} = manifest
    const isService = kind in RESOURCE
    const before = isService
      ? ((await cluster.get(
          RESOURCE[kind as ServiceKind],
          metadata.name,
          metadata.namespace,
          signal,
        )) as ServiceObject | null)
      : null
    const atMs = options.nowMs()
    const after = (await cluster.apply(manifest, options, signal)) as ServiceObject
    applied(manifest)
    // The generation counts changes of the specification.
    if (isService && before?.metadata.generation !== after.metadata.generation) changedAtMs = atMs
  }
  return changedAtMs
}

/**
 * Waits until a service is ready.
 *
 * @param progress one line, whenever it changes
 * @throws KvctlError the reason of the service or of its pods, at once where waiting would change nothing
 */
export async function untilServiceReady(
  cluster: Cluster,
  name: ServiceName,
  {
    changedAtMs,
    timeoutMs,
    clock,
  }: {readonly changedAtMs: number | null; readonly timeoutMs: number; readonly clock: Clock},
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<ServiceLook> {
  const startedNs = clock.nowNs()
  let told = ''
  for (;;) {
    const look = await lookAtService(cluster, name, signal)
    const waitedMs = (clock.nowNs() - startedNs) / 1e6
    const input: ReadinessInput = {
      ...(look ?? {service: {kind: name.kind, metadata: name}, pods: [], logs: new Map()}),
      ...{changedAtMs, waitedMs},
    }
    const now = judgeReadiness(input)
    if (now.is === 'ready' && look) return look
    if (now.is === 'failed') throw now.error
    if (waitedMs >= timeoutMs) throw notReady(input)
    if (now.is === 'waiting' && now.because !== told) progress((told = now.because))
    await clock.sleep(LOOK_MS, signal)
  }
}
