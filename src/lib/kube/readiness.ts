import {ConfigurationError, ResourceError, type KvctlError} from '../foundation/index.js'

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
}

/** What of an InferenceService or LLMInferenceService is read. */
export interface ServiceObject {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly generation?: number
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly status?: {
    readonly conditions?: readonly Condition[]
    readonly url?: string
    readonly address?: {readonly url?: string}
    readonly addresses?: readonly {readonly url?: string}[]
    readonly deploymentMode?: string
    readonly components?: {
      readonly predictor?: {readonly latestCreatedRevision?: string; readonly latestReadyRevision?: string}
    }
    readonly modelStatus?: {
      readonly transitionStatus?: string
      readonly states?: {readonly activeModelState?: string; readonly targetModelState?: string}
      readonly lastFailureInfo?: {readonly reason?: string; readonly message?: string}
      readonly copies?: {readonly totalCopies?: number; readonly failedCopies?: number}
    }
  }
}

interface ContainerState {
  readonly waiting?: {readonly reason?: string; readonly message?: string}
  readonly running?: {readonly startedAt?: string}
  readonly terminated?: {
    readonly reason?: string
    readonly message?: string
    readonly exitCode?: number
    readonly startedAt?: string
    readonly finishedAt?: string
  }
}

interface ContainerStatus {
  readonly name: string
  readonly ready: boolean
  readonly restartCount: number
  readonly state?: ContainerState
  readonly lastState?: ContainerState
}

export interface PodObject {
  readonly metadata: {
    readonly name: string
    readonly creationTimestamp?: string
    /** Set while it is being removed. */
    readonly deletionTimestamp?: string
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly spec?: {
    readonly nodeName?: string
    readonly containers?: readonly {
      readonly name: string
      readonly readinessProbe?: {readonly httpGet?: {readonly scheme?: string}}
      readonly resources?: {
        readonly requests?: Readonly<Record<string, string | number>>
        readonly limits?: Readonly<Record<string, string | number>>
      }
    }[]
  }
  readonly status?: {
    readonly phase?: string
    readonly startTime?: string
    readonly conditions?: readonly Condition[]
    readonly containerStatuses?: readonly ContainerStatus[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
  }
}

/** What is wrong with a pod, in its own words. */
export interface PodTrouble {
  readonly pod: string
  /** null where the pod itself waits. */
  readonly container: string | null
  readonly kind: 'unschedulable' | 'image' | 'out-of-memory' | 'crash'
  readonly detail: string
}

const IMAGE_REASONS = new Set(['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull'])
/** A GPU has no more memory, as PyTorch and vLLM say it. */
const CUDA_MEMORY =
  /CUDA out of memory|torch\.(?:cuda\.)?OutOfMemoryError|No available memory for the cache blocks|less than desired GPU memory utilization/i

/** Pure: what keeps the pods of a service from being ready. */
export function podTroubles(pods: readonly PodObject[]): PodTrouble[] {
  return pods.flatMap(({metadata: {name: pod}, status = {}}) => {
    const scheduled = status.conditions?.find(({type}) => type === 'PodScheduled')
    if (scheduled?.status === 'False')
      return [
        {
          pod,
          container: null,
          kind: 'unschedulable' as const,
          detail: scheduled.message ?? scheduled.reason ?? '',
        },
      ]
    const containers = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]
    return containers.flatMap(one => containerTrouble(pod, one) ?? [])
  })
}

function containerTrouble(
  pod: string,
  {name, ready, restartCount, state, lastState}: ContainerStatus,
): PodTrouble | null {
  const waiting = state?.waiting
  const ended = state?.terminated ?? lastState?.terminated
  if (ended?.reason === 'OOMKilled' && !ready)
    return {
      pod,
      container: name,
      kind: 'out-of-memory',
      detail: `OOMKilled after ${restartCount} restarts: the limit of its memory was reached`,
    }
  if (waiting?.reason !== undefined && IMAGE_REASONS.has(waiting.reason))
    return {
      pod,
      container: name,
      kind: 'image',
      detail: `${waiting.reason}: ${waiting.message ?? ''}`.replace(/: $/, ''),
    }
  if (waiting?.reason !== 'CrashLoopBackOff') return null
  const how = ended === undefined ? '' : `, last with status ${ended.exitCode ?? '?'}`
  return {
    pod,
    container: name,
    kind: 'crash',
    detail: `CrashLoopBackOff after ${restartCount} restarts${how}`,
  }
}

/** Where a service is. */
export type Readiness =
  | {readonly is: 'ready'}
  /** @param because one line of progress */
  | {readonly is: 'waiting'; readonly because: string}
  | {readonly is: 'failed'; readonly error: KvctlError}

export interface ReadinessInput {
  readonly service: ServiceObject
  readonly pods: readonly PodObject[]
  /** The last lines of containers that crash, by `pod/container`. */
  readonly logs: ReadonlyMap<string, string>
  /** Conditions that turned before are of the specification before, and say nothing; null where nothing was changed. */
  readonly changedAtMs: number | null
  /** Since the start of the wait. */
  readonly waitedMs: number
}

/** Pods try again by themselves for so long before a failure counts as one. */
const GRACE_MS = 30_000
const SPEC_REASONS = new Set([
  'NoSupportingRuntime',
  'RuntimeNotRecognized',
  'RuntimeDisabled',
  'InvalidPredictorSpec',
])

/**
 * Pure: whether a service is ready, and if not why, or why it never will be.
 *
 * @see kserve/kserve:pkg/apis/serving/v1beta1/inference_service_status.go — conditions, model states, reasons of failures
 */
export function judgeReadiness(input: ReadinessInput): Readiness {
  const {service, pods, waitedMs} = input
  const {conditions = [], modelStatus = {}} = service.status ?? {}
  const ready = conditions.find(({type}) => type === 'Ready')
  const {transitionStatus = 'UpToDate', lastFailureInfo: failure} = modelStatus
  const isLoaded = ready?.status === 'True' && ['', 'UpToDate'].includes(transitionStatus)
  if (isLoaded && (isOfThisSpec(ready, input.changedAtMs) || hasSettled(input))) return {is: 'ready'}
  const troubles = podTroubles(pods)
  const hard = hardFailure(input, troubles)
  if (hard !== null && waitedMs >= GRACE_MS) return {is: 'failed', error: hard}
  if (failure?.reason !== undefined && SPEC_REASONS.has(failure.reason) && waitedMs >= GRACE_MS)
    return {is: 'failed', error: specFailure(service, failure.reason, failure.message)}
  return {
    is: 'waiting',
    because:
      troubles.map(troubleLine)[0] ?? progressLine(conditions, modelStatus.states?.targetModelState, pods),
  }
}

/** Pure: the failure at the end of a wait in vain, with everything that is known of its cause. */
export function notReady(input: ReadinessInput): KvctlError {
  const {service, pods} = input
  const troubles = podTroubles(pods)
  const hard = hardFailure(input, troubles)
  if (hard !== null) return hard
  const {name, namespace} = service.metadata
  const known = judgeReadiness({...input, waitedMs: 0})
  const because = known.is === 'waiting' ? known.because : 'its time is over'
  return new ResourceError(
    'SERVICE_NOT_READY',
    `Service not ready: '${name}' after ${Math.round(input.waitedMs / 1000)} s: ${because}`,
    {
      suggestions: [
        `wait for the ${service.kind} to be ready, with a longer --timeout`,
        `kubectl get ${service.kind === 'InferenceService' ? 'isvc' : 'llmisvc'} -n ${namespace}`,
        `kvctl deploy status --service ${name} --namespace ${namespace}`,
      ],
    },
  )
}

function hardFailure({service, logs}: ReadinessInput, troubles: readonly PodTrouble[]): KvctlError | null {
  const {name} = service.metadata
  for (const trouble of troubles) {
    const log = logs.get(`${trouble.pod}/${trouble.container}`) ?? ''
    const last = log.split('\n').slice(-3).join(' | ')
    if (trouble.kind === 'out-of-memory' || CUDA_MEMORY.test(log)) {
      const line = log.split('\n').find(one => CUDA_MEMORY.test(one))
      return new ResourceError('OUT_OF_MEMORY', `Out of memory: ${line?.trim() ?? troubleLine(trouble)}`, {
        suggestions: [
          'reduce gpu_memory_utilization in the profile',
          'increase resource limits in the profile',
        ],
      })
    }
    if (trouble.kind === 'crash')
      return new ResourceError(
        'SERVICE_NOT_READY',
        `Service not ready: '${name}': ${troubleLine(trouble)}${last && `: ${last}`}`,
      )
    if (trouble.kind === 'image')
      return new ResourceError('SERVICE_NOT_READY', `Service not ready: '${name}': ${troubleLine(trouble)}`, {
        suggestions: ['check the image and the pull secrets of its runtime'],
      })
  }
  const failure = service.status?.modelStatus?.lastFailureInfo
  if (failure?.reason === undefined || SPEC_REASONS.has(failure.reason)) return null
  return new ResourceError(
    'SERVICE_NOT_READY',
    `Service not ready: '${name}': ${failure.reason}: ${failure.message ?? ''}`,
  )
}

function specFailure({metadata: {name}}: ServiceObject, reason: string, message = ''): KvctlError {
  return new ConfigurationError('SERVICE_INVALID', `'${name}' cannot be served: ${reason}: ${message}`, {
    suggestions: [
      'kubectl get clusterservingruntimes',
      'name one with --runtime, and its format with --model-format',
    ],
  })
}

/** A change that no pod needs to be made anew for, such as another number of replicas, never turns the condition. */
const SETTLE_MS = 15_000

/** Whether nothing has begun to change for so long that nothing will. */
function hasSettled({service, pods, waitedMs}: ReadinessInput): boolean {
  const {latestCreatedRevision: made, latestReadyRevision: ready} =
    service.status?.components?.predictor ?? {}
  return waitedMs >= SETTLE_MS && made === ready && pods.every(pod => isPodReady(pod) && !isLeaving(pod))
}

function isLeaving({metadata}: PodObject): boolean {
  return metadata.deletionTimestamp !== undefined
}

function isOfThisSpec({lastTransitionTime}: Condition, changedAtMs: number | null): boolean {
  if (changedAtMs === null || lastTransitionTime === undefined) return true
  // Kubernetes tells whole seconds.
  return Date.parse(lastTransitionTime) >= Math.floor(changedAtMs / 1000) * 1000
}

export function troubleLine({pod, container, kind, detail}: PodTrouble): string {
  const who = container === null ? pod : `${pod}, container ${container}`
  return `${who}: ${kind === 'unschedulable' ? `unschedulable: ${detail}` : detail}`
}

function progressLine(
  conditions: readonly Condition[],
  state: string | undefined,
  pods: readonly PodObject[],
): string {
  const open = conditions.filter(
    ({status, type}) => status !== 'True' && type !== 'Ready' && type !== 'Stopped',
  )
  const [first] = open
  const ready = pods.filter(isPodReady).length
  const words = [
    `${ready} of ${pods.length} pods ready`,
    ...(state === undefined || state === '' ? [] : [`model ${state}`]),
    ...(first === undefined
      ? []
      : [`${first.type} is not there yet${first.reason ? ` (${first.reason})` : ''}`]),
  ]
  return words.join(', ')
}

export function isPodReady({status}: PodObject): boolean {
  return status?.conditions?.some(({type, status: is}) => type === 'Ready' && is === 'True') ?? false
}
