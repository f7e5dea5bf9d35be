export const RESOURCE = {
  InferenceService: 'inferenceservices.serving.kserve.io',
  LLMInferenceService: 'llminferenceservices.serving.kserve.io',
} as const
export type ServiceKind = keyof typeof RESOURCE

/** The container that runs the engine. @see kserve/kserve:pkg/constants/constants.go */
export const SERVING_CONTAINER: Readonly<Record<ServiceKind, string>> = {
  InferenceService: 'kserve-container',
  LLMInferenceService: 'main',
}

const COLLECTION: Readonly<Record<ServiceKind, string>> = {
  InferenceService: 'v1beta1/namespaces/*/inferenceservices',
  LLMInferenceService: 'v1alpha2/namespaces/*/llminferenceservices',
}

/** A service of one of the two kinds, by its name. */
export interface ServiceName {
  readonly kind: ServiceKind
  readonly name: string
  readonly namespace: string
}

/** The collection that holds it, in the REST API. */
export function servicePath({kind, namespace}: ServiceName): string {
  return `/apis/serving.kserve.io/${COLLECTION[kind].replace('*', namespace)}`
}

/** The labels of its pods. @see kserve/kserve:pkg/constants/constants.go */
export function podSelector({kind, name}: ServiceName): string {
  return kind === 'InferenceService'
    ? `serving.kserve.io/inferenceservice=${name}`
    : `app.kubernetes.io/part-of=llminferenceservice,app.kubernetes.io/name=${name}`
}
