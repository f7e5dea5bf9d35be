import {KvctlError, systemClock} from '../lib/foundation/index.js'
import type {
  AskedService,
  Cluster,
  Forwarding,
  PodRecording,
  ServiceLook,
  ServiceName,
} from '../lib/kube/index.js'
import type {ClusterRecord} from '../lib/runs/index.js'
import {kubernetesCluster} from '../wiring/index.js'
import {whileWaiting} from './waiting-line.js'

/** A service of a cluster; a kind of null is whichever has the name. */
export interface AskedCluster extends AskedService {
  /** Of the kubeconfig; null is the current one. */
  readonly context: string | null
}

/** A service to be measured, and the model that is deployed first, if any. */
export interface MeasuredService extends AskedCluster {
  /** null measures what is deployed. */
  readonly modelUri: string | null
  readonly profile: string
  /** Its pods in earlier parts of the run; null for a new one. */
  readonly earlier: ClusterRecord | null
  /** An address that the user named; null finds one. */
  readonly url: string | null
  /** How long it may take to be ready. */
  readonly readyMs: number
}

/** A service of a cluster while it is measured. */
export interface FoundService {
  readonly url: string
  /** Of one that has no pod until a request comes, and so cannot be asked. */
  readonly asleep: {readonly model: string; readonly apiPath: string} | null
  /** Watches its pods from now on. */
  watchPods(): PodRecording
  /** Gives back what leads to it. */
  close(): Promise<void>
}

/** How its addresses are tried. */
export interface Trial {
  readonly apiKey: string | null
  /** Takes any TLS certificate. */
  readonly isInsecure: boolean
}

const PROBE_MS = 5000

/**
 * Finds a service of the cluster, deployed first where a model is given, waits until it is ready, and finds an address of it
 * that answers from here, unless the user named one.
 *
 * @param tell one line of progress
 */
export async function findMeasured(
  measured: MeasuredService,
  trial: Trial,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<FoundService> {
  const kube = await import('../lib/kube/index.js')
  const cluster = await kubernetesCluster(measured.context)
  const {name: service, namespace, context, modelUri, kind: asked, earlier, readyMs} = measured
  const limits = {timeoutMs: readyMs, clock: systemClock}
  let [name, look]: [ServiceName | null, ServiceLook | null] = [null, null]
  if (modelUri === null) {
    const standing = await kube.findService(cluster, measured, signal)
    look = await whileWaiting(`Waiting for ${service}`, readyMs, note =>
      kube.readyService(cluster, standing, limits, note, signal),
    )
    name = standing
  } else {
    const {loadProfile} = await import('../lib/profiles/index.js')
    const {profile} = await loadProfile(measured.profile)
    const kind = asked ?? 'InferenceService'
    const plan = kube.planOf({kind, service, namespace, modelUri}, profile)
    name = {kind, name: service, namespace}
    const options = {...limits, isFormatAsked: false, isForced: false}
    look = await whileWaiting(`Deploying ${service}`, readyMs, note =>
      kube.deployService(cluster, plan, options, note, signal),
    )
  }
  const isLeaving = ({metadata}: ServiceLook['pods'][number]): boolean =>
    metadata.deletionTimestamp !== undefined
  const isAsleep = measured.url === null && look.pods.every(isLeaving)
  if (isAsleep)
    tell(
      `${service} has no pod: nothing is asked of it before the first request, so that its start is measured`,
    )
  const found =
    measured.url === null
      ? await findUrl(cluster, name, look, {...trial, isAsleep}, {tell, signal})
      : {url: measured.url, forwarding: null}
  const {openAiPath} = kube.serviceUrls(look.service, kube.formatOf(look.service))
  const asleep = {model: kube.servedModel(look.service), apiPath: `${openAiPath}/v1`}
  return {
    url: isAsleep ? found.url.slice(0, found.url.length - openAiPath.length) : found.url,
    asleep: isAsleep ? asleep : null,
    watchPods: () =>
      kube.recordPods(cluster, {name, context, earlier, clock: systemClock, nowMs: () => Date.now()}),
    close: async () => found.forwarding?.stop(),
  }
}

async function findUrl(
  cluster: Cluster,
  name: ServiceName,
  {service, pods}: ServiceLook,
  {apiKey, isInsecure, isAsleep}: Trial & {readonly isAsleep: boolean},
  {tell, signal}: {readonly tell: (line: string) => void; readonly signal: AbortSignal},
): Promise<{url: string; forwarding: Forwarding | null}> {
  const kube = await import('../lib/kube/index.js')
  const {createHttpClient} = await import('../lib/http/index.js')
  const {bearer} = await import('../lib/inference/index.js')
  const http = createHttpClient({timeoutMs: PROBE_MS, isInsecure})
  let forwarding: Forwarding | null = null
  const forward = async (): Promise<string | null> => {
    const pod = kube.servingPod(name.kind, pods)
    if (pod === null) return null
    try {
      forwarding = await cluster.forward(pod.name, pod.port, name.namespace, signal)
    } catch (error) {
      if (!(error instanceof KvctlError)) throw error
      tell(`Warning: ${error.message}`)
      return null
    }
    tell(
      `No address of ${name.name} answers from here: requests go through kubectl port-forward to ${pod.name}`,
    )
    return `${pod.scheme}://${forwarding.host}`
  }
  const answers = async (baseUrl: string): Promise<boolean> => {
    if (isAsleep) return connects(new URL(baseUrl))
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

/** Whether something listens there; a request would wake what sleeps behind it. */
async function connects({hostname, port, protocol}: URL): Promise<boolean> {
  const {connect} = await import('node:net')
  const socket = connect({
    host: hostname,
    port: Number(port || (protocol === 'https:' ? 443 : 80)),
    timeout: PROBE_MS,
  })
  try {
    return await new Promise(resolve => {
      socket.once('connect', () => resolve(true))
      for (const end of ['error', 'timeout'] as const) socket.once(end, () => resolve(false))
    })
  } finally {
    socket.destroy()
  }
}
