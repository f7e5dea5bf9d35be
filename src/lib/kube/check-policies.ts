import {parseQuantity} from '../foundation/index.js'
import type {Manifest, Quantities} from './manifest.js'

/** One thing in a manifest that a careful cluster refuses. */
export interface PolicyViolation {
  readonly object: string
  /** Where in it. */
  readonly path: string
  readonly rule:
    'non-root' | 'read-only-root' | 'no-escalation' | 'requests' | 'limits' | 'gpu-limits' | 'plain-secret'
  /** Why it matters and what to do, one sentence. */
  readonly because: string
}

interface SecurityContext {
  readonly runAsNonRoot?: boolean
  readonly readOnlyRootFilesystem?: boolean
  readonly allowPrivilegeEscalation?: boolean
}

interface Container {
  readonly name?: string
  readonly securityContext?: SecurityContext
  readonly resources?: {readonly requests?: Quantities; readonly limits?: Quantities}
  readonly env?: readonly {readonly name: string; readonly value?: string}[]
}

interface PodLike {
  readonly securityContext?: SecurityContext
  readonly containers?: readonly Container[]
  readonly model?: Container
}

const SECRET_NAME = /(KEY|TOKEN|SECRET|PASSWORD)$/

/**
 * Pure: where the manifests break the rules that every one of kvctl's keeps: nothing runs as root or may become it, root file
 * systems are read-only, CPU and memory are requested and limited, a GPU is requested as it is limited, no key stands in clear.
 *
 * @see kubernetes/website:content/en/docs/concepts/security/pod-security-standards.md — "restricted"
 */
export function checkPolicies(manifests: readonly Manifest[]): PolicyViolation[] {
  return manifests.flatMap(manifest => {
    const object = `${manifest.kind}/${manifest.metadata.name}`
    return podsOf(manifest).flatMap(({path, pod}) =>
      containersOf(path, pod).flatMap(one => containerViolations(object, one.path, one.container, pod)),
    )
  })
}

function podsOf({kind, ...rest}: Manifest): {path: string; pod: PodLike}[] {
  const spec = rest['spec'] as {predictor?: PodLike; template?: PodLike & {spec?: PodLike}} | undefined
  if (kind === 'InferenceService') return [{path: 'spec.predictor', pod: spec?.predictor ?? {}}]
  if (kind === 'LLMInferenceService') return [{path: 'spec.template', pod: spec?.template ?? {}}]
  const pod = spec?.template?.spec
  return pod === undefined ? [] : [{path: 'spec.template.spec', pod}]
}

function containersOf(
  path: string,
  {model, containers = []}: PodLike,
): {path: string; container: Container}[] {
  return [
    ...(model === undefined ? [] : [{path: `${path}.model`, container: model}]),
    ...containers.map((container, index) => ({path: `${path}.containers[${index}]`, container})),
  ]
}

function containerViolations(
  object: string,
  path: string,
  container: Container,
  pod: PodLike,
): PolicyViolation[] {
  const found: PolicyViolation[] = []
  const add = (rule: PolicyViolation['rule'], where: string, because: string): void => {
    found.push({object, path: `${path}.${where}`, rule, because})
  }
  const {securityContext: own = {}, resources: {requests = {}, limits = {}} = {}, env = []} = container
  if ((own.runAsNonRoot ?? pod.securityContext?.runAsNonRoot) !== true)
    add('non-root', 'securityContext.runAsNonRoot', 'it may run as root: set it to true')
  if (own.readOnlyRootFilesystem !== true)
    add(
      'read-only-root',
      'securityContext.readOnlyRootFilesystem',
      'what breaks in can change its programs: set it to true, and mount an emptyDir where it writes',
    )
  if (own.allowPrivilegeEscalation !== false)
    add('no-escalation', 'securityContext.allowPrivilegeEscalation', 'it may gain rights: set it to false')
  for (const resource of ['cpu', 'memory']) {
    if (!(resource in requests))
      add(
        'requests',
        `resources.requests.${resource}`,
        'the scheduler does not know what it needs: set it in the profile',
      )
    if (!(resource in limits))
      add('limits', `resources.limits.${resource}`, 'it may take all of the node: set it in the profile')
  }
  for (const [resource, amount] of Object.entries(requests)) {
    if (!isDevice(resource)) continue
    if (!(resource in limits) || parseQuantity(limits[resource]!) !== parseQuantity(amount))
      add(
        'gpu-limits',
        `resources.limits.${resource}`,
        `Kubernetes wants the limit of a device to be its request, ${amount}`,
      )
  }
  for (const {name, value} of env) {
    if (value !== undefined && value !== '' && SECRET_NAME.test(name))
      add('plain-secret', `env.${name}`, 'everybody who may read the object reads it: take it from a Secret')
  }
  return found
}

/** GPUs, slices of them, and other devices: whole ones, never shared. */
function isDevice(resource: string): boolean {
  return resource.includes('/')
}
