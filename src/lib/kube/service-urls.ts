import {isPodReady, type PodObject, type ServiceObject} from './readiness.js'
import {SERVING_CONTAINER, type ServiceKind} from './service-name.js'

/**
 * Of the container that serves.
 *
 * @see kserve/kserve:config/runtimes/kserve-vllmserver.yaml, config/llmisvcconfig/config-llm-template.yaml
 */
const SERVING_PORT: Readonly<Record<ServiceKind, number>> = {
  InferenceService: 8080,
  LLMInferenceService: 8000,
}

/** A pod that answers, and where. */
export interface ServingPod {
  readonly name: string
  readonly port: number
  readonly scheme: 'http' | 'https'
}

/**
 * Pure: a pod that answers OpenAI's routes by itself; null where none does. Of an LLMInferenceService that is none that only
 * schedules, prefills or works for another.
 *
 * @see kserve/kserve:pkg/controller/v1alpha2/llmisvc/workload_single_node.go, workload_multi_node.go — labels of its pods
 */
export function servingPod(kind: ServiceKind, pods: readonly PodObject[]): ServingPod | null {
  const pod = pods.find(
    one => isPodReady(one) && one.metadata.deletionTimestamp === undefined && answersAlone(kind, one),
  )
  if (pod === undefined) return null
  const container = pod.spec?.containers?.find(({name}) => name === SERVING_CONTAINER[kind])
  const isHttps = container?.readinessProbe?.httpGet?.scheme === 'HTTPS'
  return {name: pod.metadata.name, port: SERVING_PORT[kind], scheme: isHttps ? 'https' : 'http'}
}

function answersAlone(kind: ServiceKind, {metadata: {labels = {}}}: PodObject): boolean {
  if (kind === 'InferenceService') return true
  const {'llm-d.ai/role': role = '', 'app.kubernetes.io/component': component = ''} = labels
  return ['both', 'decode'].includes(role) && !component.endsWith('-worker')
}

/** Where a service answers; null for what it does not say. */
export interface ServiceUrls {
  readonly externalUrl: string | null
  /** From within the cluster. */
  readonly clusterUrl: string | null
  /** Others that it has. */
  readonly moreUrls: readonly string[]
  /** What stands before `/v1`. */
  readonly openAiPath: string
}

/**
 * Pure: the addresses of a service. An LLMInferenceService lists all that its gateways have, within the cluster or not.
 *
 * @param format of its model; other runtimes than vLLM's have OpenAI's routes below `/openai`
 * @see kserve/kserve:python/kserve/kserve/protocol/rest/openai/endpoints.py
 * @see kserve/kserve:pkg/controller/v1alpha2/llmisvc/router.go — addresses
 */
export function serviceUrls({kind, status = {}}: ServiceObject, format: string | null): ServiceUrls {
  if (kind !== 'LLMInferenceService') {
    const openAiPath = format === null || format.toLowerCase() === 'vllm' ? '' : '/openai'
    return {
      ...{externalUrl: status.url ?? null, clusterUrl: status.address?.url ?? null},
      ...{moreUrls: [], openAiPath},
    }
  }
  const all = [status.url, ...(status.addresses ?? []).map(({url}) => url)].filter(url => url !== undefined)
  const externalUrl = all.find(url => !isOfCluster(url)) ?? null
  const clusterUrl = all.find(isOfCluster) ?? null
  const moreUrls = [...new Set(all)].filter(url => url !== externalUrl && url !== clusterUrl)
  return {externalUrl, clusterUrl, moreUrls, openAiPath: ''}
}

function isOfCluster(url: string): boolean {
  return URL.canParse(url) && /\.svc(?:\.|$)/.test(new URL(url).hostname)
}
