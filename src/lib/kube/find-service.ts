import {ConfigurationError, KvctlError, ResourceError} from '../foundation/index.js'
import type {Cluster} from './kubectl.js'
import {RESOURCE, type ServiceKind, type ServiceName} from './service-name.js'

/** A service as somebody names it; a kind of null is whichever has the name. */
export interface AskedService {
  readonly kind: ServiceKind | null
  readonly name: string
  readonly namespace: string
}

export const SERVICE_KINDS = Object.keys(RESOURCE) as readonly ServiceKind[]

/**
 * Finds out of which kind a service is. A kind that a cluster does not know, or that may not be read where the other has the name,
 * is no hindrance.
 *
 * @throws ResourceError `SERVICE_NOT_FOUND`; ConfigurationError `KIND_MISSING` where both kinds have the name; KvctlError as the
 * cluster refuses
 */
export async function findService(
  cluster: Cluster,
  asked: AskedService,
  signal: AbortSignal,
): Promise<ServiceName> {
  const {name, namespace} = asked
  const kinds = asked.kind === null ? SERVICE_KINDS : [asked.kind]
  const looks = await Promise.allSettled(
    kinds.map(async kind => ((await cluster.get(RESOURCE[kind], name, namespace, signal)) ? [kind] : [])),
  )
  signal.throwIfAborted()
  const found = looks.flatMap(look => (look.status === 'fulfilled' ? look.value : []))
  const [kind] = found
  if (found.length > 1) throw severalKinds(asked)
  if (kind !== undefined) return {kind, name, namespace}
  const failures = looks.flatMap(look => (look.status === 'rejected' ? [look.reason as unknown] : []))
  const unknown = failures.filter(error => error instanceof KvctlError && error.code === 'KSERVE_MISSING')
  const failure = failures.find(error => !unknown.includes(error))
  if (failure !== undefined) throw failure as Error
  if (unknown.length === kinds.length) throw unknown[0] as KvctlError
  throw serviceNotFound(asked)
}

export function serviceNotFound({kind, name, namespace}: AskedService): ResourceError {
  const what = kind ?? SERVICE_KINDS.join(' or ')
  const kinds = kind === null ? SERVICE_KINDS : [kind]
  return new ResourceError('SERVICE_NOT_FOUND', `there is no ${what} '${name}' in namespace ${namespace}`, {
    suggestions: [
      `kubectl get ${kinds.map(one => RESOURCE[one].split('.')[0]).join(',')} -n ${namespace}`,
      `kvctl deploy --service ${name} --namespace ${namespace} --model-uri URI makes one`,
    ],
  })
}

/** Two services have the name, and which is meant is not said. */
export function severalKinds({name, namespace}: Omit<AskedService, 'kind'>): ConfigurationError {
  return new ConfigurationError(
    'KIND_MISSING',
    `'${name}' in namespace ${namespace} is both an ${SERVICE_KINDS.join(' and an ')}`,
    {suggestions: SERVICE_KINDS.map(kind => `--kind ${kind}`)},
  )
}
