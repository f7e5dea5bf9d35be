import {ConfigurationError} from '../foundation/index.js'
import type {Profile} from '../profiles/index.js'
import type {Resources} from './manifest.js'

/** What is to be deployed. */
export interface DeployPlan {
  readonly kind: 'InferenceService' | 'LLMInferenceService'
  readonly service: string
  readonly namespace: string
  readonly modelUri: string
  readonly profileName: string
  readonly features: Profile['vllm_features']
  readonly resources: Resources
  /** null lets KServe choose by the format. */
  readonly runtime: string | null
  /** The format as the runtime spells it. */
  readonly format: string
  readonly minReplicas: number
  readonly maxReplicas: number
  /** From the environment; null makes no Secret. */
  readonly s3: S3Access | null
  /** kvctl serve beside the engine; null for none. */
  readonly statsImage: string | null
}

export interface S3Access {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string | null
  /** With its scheme; null is Amazon's. */
  readonly endpointUrl: string | null
}

/** @see kserve/kserve:pkg/apis/serving/v1beta1/inference_service_validation.go */
const SERVICE_NAME = /^[a-z]([-a-z0-9]*[a-z0-9])?$/
/** `-predictor-00001-deployment` and so on are appended. */
const LONGEST_SERVICE_NAME = 40
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
/** @see kserve/kserve:pkg/apis/serving/v1beta1/component.go */
const STORAGE = /^(?:(?:gs|s3|pvc|file|https?|hdfs|webhdfs|oci(?:\+native|\+fetch)?|hf):\/\/\S+)$/

/** A service without resources in its profile. */
const DEFAULT_RESOURCES: Resources = {
  requests: {cpu: '2', memory: '8Gi', 'nvidia.com/gpu': '1'},
  limits: {cpu: '4', memory: '16Gi', 'nvidia.com/gpu': '1'},
}
const DEFAULT_CPU_RESOURCES: Resources = {
  requests: {cpu: '2', memory: '8Gi'},
  limits: {cpu: '4', memory: '16Gi'},
}

/** A model and a profile as a plan; one replica, KServe's choice of a runtime, and nothing beside it. */
export function planOf(
  what: Pick<DeployPlan, 'kind' | 'service' | 'namespace' | 'modelUri'>,
  profile: Profile,
): DeployPlan {
  checkNames(what)
  return {
    ...what,
    profileName: profile.metadata.name,
    ...{features: profile.vllm_features, resources: resourcesOf(profile)},
    ...{runtime: null, format: 'vLLM', minReplicas: 1, maxReplicas: 1, s3: null, statsImage: null},
  }
}

/** @throws ConfigurationError `SERVICE_NAME_INVALID`, `NAMESPACE_INVALID`, `MODEL_URI_INVALID` */
export function checkNames({
  service,
  namespace,
  modelUri,
}: Pick<DeployPlan, 'service' | 'namespace' | 'modelUri'>): void {
  if (!SERVICE_NAME.test(service) || service.length > LONGEST_SERVICE_NAME) {
    throw new ConfigurationError(
      'SERVICE_NAME_INVALID',
      `'${service}' is no name of an InferenceService: small letters, digits and -, a letter first, at most ${LONGEST_SERVICE_NAME}`,
    )
  }
  if (!NAMESPACE.test(namespace))
    throw new ConfigurationError('NAMESPACE_INVALID', `'${namespace}' is no name of a namespace`)
  if (!STORAGE.test(modelUri)) {
    throw new ConfigurationError(
      'MODEL_URI_INVALID',
      `'${modelUri}' is no address that KServe can fetch a model from`,
      {
        suggestions: ['s3://bucket/path/, hf://org/model, pvc://claim/path, gs://bucket/path, oci://image'],
      },
    )
  }
}

/** @see kserve/kserve:pkg/apis/serving/v1alpha2/llm_inference_service_types.go — model.uri, replicas */
const LLM_STORAGE = /^(?:hf|s3|pvc|oci):\/\//

/**
 * What an LLMInferenceService does not take is refused, not left out.
 *
 * @throws ConfigurationError `KIND_UNFIT`, `MODEL_URI_INVALID`
 */
export function checkKind({kind, modelUri, runtime, minReplicas, maxReplicas}: DeployPlan): void {
  if (kind === 'InferenceService') return
  const unfit = [
    ...(runtime === null ? [] : ['--runtime']),
    ...(minReplicas === 0 ? ['--min-replicas 0'] : []),
    ...(maxReplicas > Math.max(1, minReplicas) ? [`--max-replicas ${maxReplicas}`] : []),
  ]
  if (unfit.length > 0)
    throw new ConfigurationError('KIND_UNFIT', `an ${kind} takes no ${unfit.join(' and no ')}`, {
      suggestions: ['--min-replicas N gives it N replicas', '--kind InferenceService'],
    })
  if (!LLM_STORAGE.test(modelUri))
    throw new ConfigurationError('MODEL_URI_INVALID', `an ${kind} cannot fetch '${modelUri}'`, {
      suggestions: ['hf://org/model, s3://bucket/path/, pvc://claim/path, oci://image'],
    })
}

/** What a profile asks for; a profile that says nothing gets a modest share of one GPU's machine, or of none with `device: cpu`. */
export function resourcesOf({resources, vllm_features: features}: Profile): Resources {
  const {requests, limits} = resources
  if (requests === undefined && limits === undefined)
    return features['device'] === 'cpu' ? DEFAULT_CPU_RESOURCES : DEFAULT_RESOURCES
  const texts = (quantities: Readonly<Record<string, string | number>> = {}): Record<string, string> =>
    Object.fromEntries(Object.entries(quantities).map(([name, amount]) => [name, String(amount)]))
  // What is said on one side alone holds on both: nothing runs without a limit.
  return {requests: {...texts(limits), ...texts(requests)}, limits: {...texts(requests), ...texts(limits)}}
}

/**
 * The keys of S3 from the environment.
 *
 * @throws ConfigurationError `S3_KEYS_MISSING` naming what is not set
 */
export function s3FromEnvironment(environment: NodeJS.ProcessEnv): S3Access {
  const accessKeyId = environment['AWS_ACCESS_KEY_ID'] || ''
  const secretAccessKey = environment['AWS_SECRET_ACCESS_KEY'] || ''
  const missing = [
    ...(accessKeyId === '' ? ['AWS_ACCESS_KEY_ID'] : []),
    ...(secretAccessKey === '' ? ['AWS_SECRET_ACCESS_KEY'] : []),
  ]
  if (missing.length > 0)
    throw new ConfigurationError(
      'S3_KEYS_MISSING',
      `a Secret for S3 needs ${missing.join(' and ')} in the environment`,
    )
  const endpointUrl = environment['S3_ENDPOINT_URL'] || null
  if (endpointUrl !== null && !/^https?:\/\/[^/]/.test(endpointUrl)) {
    throw new ConfigurationError(
      'S3_ENDPOINT_INVALID',
      `S3_ENDPOINT_URL '${endpointUrl}' is no http:// or https:// address`,
    )
  }
  return {accessKeyId, secretAccessKey, region: environment['AWS_DEFAULT_REGION'] || null, endpointUrl}
}
