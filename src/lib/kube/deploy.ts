import type {Clock} from '../foundation/index.js'
import {serviceNotFound} from './find-service.js'
import type {Cluster, PodUsage} from './kubectl.js'
import type {Manifest} from './manifest.js'
import {
  judgeReadiness,
  notReady,
  podTroubles,
  type PodObject,
  type ReadinessInput,
  type ServiceObject,
} from './readiness.js'
import {podSelector, RESOURCE, SERVING_CONTAINER, type ServiceKind, type ServiceName} from './service-name.js'
import {watchService} from './watch-service.js'

/** Everything that a look at a service shows. */
export interface ServiceLook {
  readonly service: ServiceObject
  readonly pods: readonly PodObject[]
  /** The last lines of containers that crash, by `pod/container`. */
  readonly logs: ReadonlyMap<string, string>
}

/** What a look adds that is for people: what pods say and use. */
export interface ServiceDetails {
  /** The last lines of the container that serves, by pod. */
  readonly lines: ReadonlyMap<string, string>
  /** Null where the cluster measures nothing. */
  readonly usage: readonly PodUsage[] | null
}

/** What `kubectl logs` and `kubectl top pods` say of the pods of a look. */
export async function detailsOf(
  cluster: Cluster,
  name: ServiceName,
  {pods}: Pick<ServiceLook, 'pods'>,
  signal: AbortSignal,
): Promise<ServiceDetails> {
  const lines = new Map<string, string>()
  const container = SERVING_CONTAINER[name.kind]
  for (const {metadata: pod} of pods)
    lines.set(pod.name, await cluster.logs(pod.name, container, name.namespace, signal, 'now'))
  return {lines, usage: await cluster.usage(podSelector(name), name.namespace, signal)}
}

/** @returns null where there is no such service */
export async function lookAtService(
  cluster: Cluster,
  name: ServiceName,
  signal: AbortSignal,
): Promise<ServiceLook | null> {
  const {kind, namespace} = name
  const service = await cluster.get(RESOURCE[kind], name.name, namespace, signal)
  if (service === null) return null
  const pods = (await cluster.list('pods', podSelector(name), namespace, signal)) as PodObject[]
  return {
    service: service as ServiceObject,
    pods,
    logs: await new CrashLogs(cluster, namespace).of(pods, signal),
  }
}

/**
 * A look at a service that is ready, at once or after a wait.
 *
 * @param progress one line, whenever it changes
 * @throws ResourceError `SERVICE_NOT_FOUND`; as `untilServiceReady`
 */
export async function readyService(
  cluster: Cluster,
  name: ServiceName,
  limits: {readonly timeoutMs: number; readonly clock: Clock},
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<ServiceLook> {
  const look = await lookAtService(cluster, name, signal)
  if (look === null) throw serviceNotFound(name)
  const unchanged = {changedAtMs: null, waitedMs: 0}
  if (judgeReadiness({...look, ...unchanged}).is === 'ready') return look
  progress(`waiting until ${name.kind} ${name.name} is ready`)
  return untilServiceReady(cluster, name, {...limits, changedAtMs: null}, progress, signal)
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

/** What time alone decides, such as how long a pod may go on trying, is judged anew so often. */
const JUDGE_MS = 1000

/**
 * Watches a service and its pods until it is ready.
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
  const logs = new CrashLogs(cluster, name.namespace)
  const watch = watchService(cluster, name, clock, signal)
  let told = ''
  try {
    for (;;) {
      const {service = null, pods = []} = watch.now ?? {}
      const look = {pods, logs: await logs.of(pods, signal)}
      const waitedMs = (clock.nowNs() - startedNs) / 1e6
      const nobody: ServiceObject = {kind: name.kind, metadata: name}
      const input: ReadinessInput = {...look, service: service ?? nobody, changedAtMs, waitedMs}
      const judged = judgeReadiness(input)
      if (judged.is === 'ready' && service !== null) return {...look, service}
      if (judged.is === 'failed') throw judged.error
      if (waitedMs >= timeoutMs) throw notReady(input)
      if (watch.now !== null && judged.is === 'waiting' && judged.because !== told)
        progress((told = judged.because))
      await watch.next(Math.min(JUDGE_MS, timeoutMs - waitedMs))
    }
  } finally {
    await watch.stop()
  }
}

/** The last lines of containers that crash, asked for once a crash. */
class CrashLogs {
  readonly #known = new Map<string, {restarts: number; text: string}>()
  readonly #cluster: Cluster
  readonly #namespace: string

  constructor(cluster: Cluster, namespace: string) {
    this.#cluster = cluster
    this.#namespace = namespace
  }

  /** @returns by `pod/container` */
  async of(pods: readonly PodObject[], signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const logs = new Map<string, string>()
    for (const {pod, container, kind} of podTroubles(pods)) {
      if (container === null || kind === 'image' || kind === 'unschedulable') continue
      const key = `${pod}/${container}`
      const restarts = restartsOf(pods, pod, container)
      let known = this.#known.get(key)
      if (known?.restarts !== restarts || known.text === '') {
        known = {restarts, text: await this.#cluster.logs(pod, container, this.#namespace, signal)}
        this.#known.set(key, known)
      }
      logs.set(key, known.text)
    }
    return logs
  }
}

function restartsOf(pods: readonly PodObject[], pod: string, container: string): number {
  const {initContainerStatuses = [], containerStatuses = []} =
    pods.find(({metadata}) => metadata.name === pod)?.status ?? {}
  const status = [...initContainerStatuses, ...containerStatuses].find(({name}) => name === container)
  return status?.restartCount ?? 0
}
