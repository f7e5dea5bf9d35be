import {ResourceError, systemClock} from '../lib/foundation/index.js'
import type {ServiceLook, ServiceName} from '../lib/kube/index.js'
import {kubernetesCluster} from '../wiring.js'

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
): Promise<string> {
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
  if (measured.url !== null) return measured.url
  const {createHttpClient} = await import('../lib/http/index.js')
  const {bearer} = await import('../lib/inference/index.js')
  const http = createHttpClient({timeoutMs: PROBE_MS})
  try {
    const isInCluster = Boolean(process.env['KUBERNETES_SERVICE_HOST'])
    const urls = kube.serviceUrls(look.service, kube.formatOf(look.service))
    return await kube.reachableUrl(service, urls, isInCluster, async baseUrl => {
      try {
        return (await http.get(`${baseUrl}/v1/models`, {headers: bearer(apiKey), signal})).status < 500
      } catch {
        signal.throwIfAborted()
        return false
      }
    })
  } finally {
    await http.close()
  }
}
