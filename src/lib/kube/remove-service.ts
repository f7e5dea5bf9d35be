import {ResourceError, type Clock} from '../foundation/index.js'
import {serviceNotFound} from './find-service.js'
import {RESOURCE, type ServiceName} from './service-name.js'
import type {Cluster} from './kubectl.js'
import {FIELD_MANAGER} from './manifests.js'

interface Labelled {
  readonly metadata: {readonly labels?: Readonly<Record<string, string>>}
}

const LOOK_MS = 500

/**
 * Removes a service and what kvctl made beside it.
 *
 * @returns `resource/name` of everything that was removed
 * @throws ResourceError `SERVICE_NOT_FOUND`, `SERVICE_FOREIGN` where kvctl did not make it, `SERVICE_STAYS` when it is not gone in
 * its time
 */
export async function removeService(
  cluster: Cluster,
  {kind, name, namespace}: ServiceName,
  {
    isForced,
    timeoutMs,
    clock,
  }: {readonly isForced: boolean; readonly timeoutMs: number; readonly clock: Clock},
  signal: AbortSignal,
): Promise<string[]> {
  const resource = RESOURCE[kind]
  const service = (await cluster.get(resource, name, namespace, signal)) as Labelled | null
  if (service === null) throw serviceNotFound({kind, name, namespace})
  if (!isOurs(service) && !isForced) {
    throw new ResourceError('SERVICE_FOREIGN', `kvctl did not deploy '${name}'`, {
      suggestions: ['remove it all the same with --force'],
    })
  }
  const removed: string[] = []
  if (await cluster.remove(resource, name, namespace, signal)) removed.push(`${kind} ${name}`)
  for (const [what, title, suffix] of [
    ['configmaps', 'ConfigMap', 'config'],
    ['secrets', 'Secret', 's3'],
    ['serviceaccounts', 'ServiceAccount', 'sa'],
  ] as const) {
    const one = (await cluster.get(what, `${name}-${suffix}`, namespace, signal)) as Labelled | null
    if (one === null || !isOurs(one)) continue
    if (await cluster.remove(what, `${name}-${suffix}`, namespace, signal))
      removed.push(`${title} ${name}-${suffix}`)
  }
  const untilNs = clock.nowNs() + timeoutMs * 1e6
  while ((await cluster.get(resource, name, namespace, signal)) !== null) {
    if (clock.nowNs() >= untilNs)
      throw new ResourceError('SERVICE_STAYS', `'${name}' is still there after ${timeoutMs / 1000} s`, {
        suggestions: [`kubectl get ${resource} ${name} -n ${namespace} -o yaml shows its finalizers`],
      })
    await clock.sleep(LOOK_MS, signal)
  }
  return removed
}

function isOurs({metadata}: Labelled): boolean {
  return metadata.labels?.['app.kubernetes.io/managed-by'] === FIELD_MANAGER
}
