import {isPodReady, type PodObject, type ServiceObject} from './readiness.js'

/** Of the container that serves an InferenceService. @see kserve/kserve:config/runtimes/kserve-vllmserver.yaml */
export const SERVING_PORT = 8080

/** The name of a pod that answers; null where none does. */
export function readyPod(pods: readonly PodObject[]): string | null {
  return (
    pods.find(pod => isPodReady(pod) && pod.metadata.deletionTimestamp === undefined)?.metadata.name ?? null
  )
}

/** Where a service answers; null for what it does not say. */
export interface ServiceUrls {
  readonly externalUrl: string | null
  /** From within the cluster. */
  readonly clusterUrl: string | null
  /** What stands before `/v1`. */
  readonly openAiPath: string
}

/**
 * Pure: the addresses of a service.
 *
 * @param format of its model; other runtimes than vLLM's have OpenAI's routes below `/openai`
 * @see kserve/kserve:python/kserve/kserve/protocol/rest/openai/endpoints.py
 */
export function serviceUrls({kind, status = {}}: ServiceObject, format: string | null): ServiceUrls {
  const isOwnServer = kind === 'LLMInferenceService' || format === null || format.toLowerCase() === 'vllm'
  return {
    externalUrl: status.url ?? status.addresses?.find(({url}) => url !== undefined)?.url ?? null,
    clusterUrl: status.address?.url ?? null,
    openAiPath: isOwnServer ? '' : '/openai',
  }
}
