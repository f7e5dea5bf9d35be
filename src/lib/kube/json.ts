import type {PolicyViolation} from './check-policies.js'
import type {ServiceDetails, ServiceLook} from './deploy.js'
import {isPodReady, podTroubles, troubleLine, type PodTrouble, type ServiceObject} from './readiness.js'
import {serviceUrls} from './service-urls.js'

/** A deployed service, as `kvctl deploy` and `deploy status` tell it. */
export interface ServiceJson {
  readonly name: string
  readonly namespace: string
  readonly kind: string
  readonly ready: boolean
  readonly url: string | null
  readonly cluster_url: string | null
  readonly openai_path: string
  readonly deployment_mode: string | null
  readonly model_state: string | null
  readonly conditions: readonly {
    readonly type: string
    readonly status: string
    readonly reason: string | null
    readonly message: string | null
  }[]
  readonly pods: readonly {
    readonly name: string
    readonly phase: string | null
    readonly ready: boolean
    readonly restarts: number
    readonly node: string | null
    readonly trouble: string | null
    /** The last lines of a container that crashes; in a status of the one that serves. */
    readonly log: string | null
    /** What it uses, as the cluster's metrics server says it; null where it says nothing. */
    readonly cpu: string | null
    readonly memory: string | null
  }[]
}

export function serviceJson(
  {service, pods, logs}: ServiceLook,
  details: ServiceDetails | null = null,
): ServiceJson {
  const {conditions = [], modelStatus, deploymentMode} = service.status ?? {}
  const urls = serviceUrls(service, formatOf(service))
  return {
    ...{name: service.metadata.name, namespace: service.metadata.namespace, kind: service.kind},
    ready: conditions.some(({type, status}) => type === 'Ready' && status === 'True'),
    ...{url: urls.externalUrl, cluster_url: urls.clusterUrl, openai_path: urls.openAiPath},
    deployment_mode: deploymentMode ?? null,
    model_state: modelStatus?.states?.activeModelState || (modelStatus?.states?.targetModelState ?? null),
    conditions: conditions.map(({type, status, reason, message}) => ({
      ...{type, status, reason: reason ?? null, message: message ?? null},
    })),
    pods: pods.map(pod => {
      const [trouble] = podTroubles([pod])
      return {
        name: pod.metadata.name,
        phase: pod.status?.phase ?? null,
        ready: isPodReady(pod),
        restarts: (pod.status?.containerStatuses ?? []).reduce(
          (sum, {restartCount}) => sum + restartCount,
          0,
        ),
        node: pod.spec?.nodeName ?? null,
        trouble: trouble === undefined ? null : troubleLine(trouble),
        log: logOf(pod.metadata.name, trouble, logs, details),
        ...usageOf(pod.metadata.name, details),
      }
    }),
  }
}

function logOf(
  pod: string,
  trouble: PodTrouble | undefined,
  logs: ServiceLook['logs'],
  details: ServiceDetails | null,
): string | null {
  const crashed = trouble === undefined ? undefined : logs.get(`${trouble.pod}/${trouble.container}`)
  return crashed ?? (details?.lines.get(pod) || null)
}

function usageOf(pod: string, details: ServiceDetails | null): {cpu: string | null; memory: string | null} {
  const {cpu = null, memory = null} = details?.usage?.find(one => one.pod === pod) ?? {}
  return {cpu, memory}
}

/** The format of a service's model, as it was asked for. */
export function formatOf(service: ServiceObject): string | null {
  const {spec} = service as {spec?: {predictor?: {model?: {modelFormat?: {name?: string}}}}}
  return spec?.predictor?.model?.modelFormat?.name ?? null
}

/** The model that a service serves under: its own name, unless an LLMInferenceService says another. */
export function servedModel(service: ServiceObject): string {
  const {spec} = service as {spec?: {model?: {name?: string}}}
  return (service.kind === 'LLMInferenceService' ? spec?.model?.name : undefined) ?? service.metadata.name
}

export interface ViolationJson {
  readonly object: string
  readonly path: string
  readonly rule: string
  readonly because: string
}

export function violationJson({object, path, rule, because}: PolicyViolation): ViolationJson {
  return {object, path, rule, because}
}
