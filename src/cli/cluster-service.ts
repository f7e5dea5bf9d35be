import {KvctlError, ResourceError, systemClock} from '../lib/foundation/index.js'
import type {Cluster, Forwarding, PodRecording, ServiceLook, ServiceName} from '../lib/kube/index.js'
import type {ClusterRecord, RunDirectory} from '../lib/runs/index.js'
import {kubernetesCluster} from '../wiring/index.js'

/** A service to be measured, and the model that is deployed first, if any. */
export interface MeasuredService {
  readonly service: string
  readonly namespace: string
  /** null measures what is deployed. */
  readonly modelUri: string | null
  readonly profile: string
  /** An address that the user named; null finds one. */
  readonly url: string | null
}

/** A service of a cluster while it is measured. */
export interface FoundService {
  readonly url: string
  /** Watches its pods from now on. */
  watchPods(): PodRecording
  /** Gives back what leads to it. */
  close(): Promise<void>
}

const READY_MS = 1_800_000
const PROBE_MS = 5000

/**
 * Finds a service of the cluster, deployed first where a model is given, and an address of it that answers from here, unless
 * the user named one.
 *
 * @param tell one line of progress
 */
export async function findService(
  measured: MeasuredService,
  apiKey: string | null,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<FoundService> {
  const kube = await import('../lib/kube/index.js')
  const cluster = await kubernetesCluster(null)
  const {service, namespace} = measured
  const name: ServiceName = {kind: 'InferenceService', name: service, namespace}
  let look: ServiceLook | null
  if (measured.modelUri === null) look = await kube.lookAtService(cluster, name, signal)
  else {
    const {loadProfile} = await import('../lib/profiles/index.js')
    const {profile} = await loadProfile(measured.profile)
    const plan = kube.planOf(
      {kind: 'InferenceService', service, namespace, modelUri: measured.modelUri},
      profile,
    )
    const options = {isFormatAsked: false, isForced: false, timeoutMs: READY_MS, clock: systemClock}
    look = await kube.deployService(cluster, plan, options, tell, signal)
  }
  if (look === null)
    throw new ResourceError(
      'SERVICE_NOT_FOUND',
      `there is no InferenceService '${service}' in namespace ${namespace}`,
      {
        suggestions: [`kubectl get isvc -n ${namespace}`, 'deploy it first with --model-uri'],
      },
    )
  const found =
    measured.url === null
      ? await findUrl(cluster, name, look, {apiKey, tell, signal})
      : {url: measured.url, forwarding: null}
  return {
    url: found.url,
    watchPods: () => kube.recordPods(cluster, name, {clock: systemClock, nowMs: () => Date.now()}),
    close: async () => found.forwarding?.stop(),
  }
}

async function findUrl(
  cluster: Cluster,
  {name, namespace}: ServiceName,
  {service, pods}: ServiceLook,
  {
    apiKey,
    tell,
    signal,
  }: {
    readonly apiKey: string | null
    readonly tell: (line: string) => void
    readonly signal: AbortSignal
  },
): Promise<{url: string; forwarding: Forwarding | null}> {
  const kube = await import('../lib/kube/index.js')
  const {createHttpClient} = await import('../lib/http/index.js')
  const {bearer} = await import('../lib/inference/index.js')
  const http = createHttpClient({timeoutMs: PROBE_MS})
  let forwarding: Forwarding | null = null
  const forward = async (): Promise<string | null> => {
    const pod = kube.readyPod(pods)
    if (pod === null) return null
    try {
      forwarding = await cluster.forward(pod, kube.SERVING_PORT, namespace, signal)
    } catch (error) {
      if (!(error instanceof KvctlError)) throw error
      tell(`Warning: ${error.message}`)
      return null
    }
    tell(`No address of ${name} answers from here: requests go through kubectl port-forward to ${pod}`)
    return forwarding.url
  }
  const answers = async (baseUrl: string): Promise<boolean> => {
    try {
      return (await http.get(`${baseUrl}/v1/models`, {headers: bearer(apiKey), signal})).status < 500
    } catch {
      signal.throwIfAborted()
      return false
    }
  }
  try {
    const isInCluster = Boolean(process.env['KUBERNETES_SERVICE_HOST'])
    const urls = kube.serviceUrls(service, kube.formatOf(service))
    return {url: await kube.reachableUrl(name, urls, isInCluster, answers, forward), forwarding}
  } catch (error) {
    await (forwarding as Forwarding | null)?.stop()
    throw error
  } finally {
    await http.close()
  }
}

/** What is left to ask of the cluster after a run, which may have been stopped. */
const AFTERWARDS_MS = 30_000

/** Writes what became of the pods into the run. @returns what to tell of it, one line each */
export async function keepPods(recording: PodRecording, run: RunDirectory): Promise<string[]> {
  const {writeClusterRecord} = await import('../lib/runs/index.js')
  try {
    const {record, failure} = await recording.stop(AbortSignal.timeout(AFTERWARDS_MS))
    if (record !== null) await writeClusterRecord(run, record)
    return failure === null ? [] : [unseen(failure)]
  } catch (error) {
    return [unseen(error)]
  }
}

/**
 * Writes the pods that a service has now into a run that recorded none.
 *
 * @throws ResourceError `PODS_MISSING`; KvctlError as the cluster refuses
 */
export async function recordPodsOf(
  run: RunDirectory,
  namespace: string,
  service: string,
  signal: AbortSignal,
): Promise<void> {
  const {writeClusterRecord} = await import('../lib/runs/index.js')
  await writeClusterRecord(run, await podsNow(namespace, service, signal))
}

/** The pods that a service has now. @throws ResourceError `PODS_MISSING`; KvctlError as the cluster refuses */
export async function podsNow(
  namespace: string,
  service: string,
  signal: AbortSignal,
): Promise<ClusterRecord> {
  const {lookAtPods} = await import('../lib/kube/index.js')
  const name: ServiceName = {kind: 'InferenceService', name: service, namespace}
  const record = await lookAtPods(await kubernetesCluster(null), name, Date.now(), signal)
  if (record.pods.length > 0) return record
  throw new ResourceError('PODS_MISSING', `no pod of '${service}' is in namespace ${namespace}`, {
    suggestions: [`kvctl deploy status --service ${service} --namespace ${namespace}`],
  })
}

function unseen(error: unknown): string {
  return `pods were not seen during the whole run: ${error instanceof Error ? error.message : String(error)}`
}
