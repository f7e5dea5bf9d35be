import {checkKind, type DeployPlan, type S3Access} from './deploy-plan.js'
import {HUGGING_FACE, type Manifest} from './manifest.js'
import {serverFlags} from './server-flags.js'

/** The field manager under which everything is applied. */
export const FIELD_MANAGER = 'kvctl'

/** KServe's storage-initializer runs as this user; so does the engine, which reads what it fetched. */
const USER_ID = 1000
const WRITABLE = '/tmp'

/**
 * Pure: everything that a deployment consists of, in the order in which it is applied. Nothing in it runs as root or writes to
 * its image; vLLM's caches go to an empty directory.
 *
 * @throws ConfigurationError `KIND_UNFIT`, `MODEL_URI_INVALID`
 * @see kserve/kserve:config/runtimes/kserve-vllmserver.yaml — format name, port, model name
 */
export function manifestsOf(plan: DeployPlan): {
  readonly manifests: readonly Manifest[]
  readonly notes: readonly string[]
} {
  checkKind(plan)
  const flags = serverFlags(plan.features)
  const service =
    plan.kind === 'InferenceService'
      ? inferenceService(plan, flags.args)
      : llmInferenceService(plan, flags.args)
  return {
    manifests: [...(plan.s3 === null ? [] : s3Manifests(plan, plan.s3)), configMap(plan), service],
    notes: flags.notes,
  }
}

function inferenceService(plan: DeployPlan, args: readonly string[]): Manifest {
  const {service, modelUri, features, resources, runtime, format, minReplicas, maxReplicas, s3} = plan
  const utilisation = features.gpu_memory_utilization
  const flags = format === HUGGING_FACE ? [`--model_name=${service}`, '--backend=vllm', ...args] : args
  return {
    apiVersion: 'serving.kserve.io/v1beta1',
    kind: 'InferenceService',
    metadata: metadataOf(plan, service),
    spec: {
      predictor: {
        ...{minReplicas, maxReplicas},
        ...(s3 !== null && {serviceAccountName: `${service}-sa`}),
        securityContext: podSecurity(),
        model: {
          modelFormat: {name: format},
          ...(runtime !== null && {runtime}),
          storageUri: modelUri,
          ...(flags.length > 0 && {args: flags}),
          env: [
            // The name that kserve-vllm-mini documents; vLLM itself reads the argument.
            ...(utilisation === undefined
              ? []
              : [{name: 'GPU_MEMORY_UTILIZATION', value: utilisation.toFixed(2)}]),
            {name: 'HOME', value: WRITABLE},
          ],
          resources,
          securityContext: containerSecurity(),
          volumeMounts: [{name: 'kvctl-tmp', mountPath: WRITABLE}],
        },
        ...(plan.statsImage !== null && {containers: [statsContainer(plan.statsImage)]}),
        volumes: [{name: 'kvctl-tmp', emptyDir: {}}],
      },
    },
  }
}

/** @see kserve/kserve:pkg/apis/serving/v1alpha2/llm_inference_service_types.go */
function llmInferenceService(plan: DeployPlan, args: readonly string[]): Manifest {
  const {service, modelUri, resources, minReplicas, s3, statsImage} = plan
  return {
    apiVersion: 'serving.kserve.io/v1alpha2',
    kind: 'LLMInferenceService',
    metadata: metadataOf(plan, service),
    spec: {
      model: {uri: modelUri, name: service},
      replicas: Math.max(1, minReplicas),
      router: {route: {}, gateway: {}, scheduler: {}},
      template: {
        ...(s3 !== null && {serviceAccountName: `${service}-sa`}),
        securityContext: podSecurity(),
        containers: [
          {
            name: 'main',
            env: [
              ...(args.length > 0 ? [{name: 'VLLM_ADDITIONAL_ARGS', value: args.join(' ')}] : []),
              {name: 'HOME', value: WRITABLE},
            ],
            resources,
            securityContext: containerSecurity(),
            volumeMounts: [{name: 'kvctl-tmp', mountPath: WRITABLE}],
          },
          ...(statsImage === null ? [] : [statsContainer(statsImage)]),
        ],
        volumes: [{name: 'kvctl-tmp', emptyDir: {}}],
      },
    },
  }
}

function configMap(plan: DeployPlan): Manifest {
  const {service, features} = plan
  const {gpu_memory_utilization: utilisation, quantization, ...others} = features
  const config = {
    gpu_memory_utilization: utilisation ?? null,
    quantization: quantization ?? null,
    max_model_len: null,
    ...others,
  }
  return {
    ...{apiVersion: 'v1', kind: 'ConfigMap', metadata: metadataOf(plan, `${service}-config`)},
    data: {'model_config.json': `${JSON.stringify(config, null, 2)}\n`},
  }
}

/** @see kserve/kserve:pkg/credentials/s3/s3_secret.go — keys of the Secret and of its annotations */
function s3Manifests(
  plan: DeployPlan,
  {accessKeyId, secretAccessKey, region, endpointUrl}: S3Access,
): Manifest[] {
  const {service} = plan
  const secret = `${service}-s3`
  const annotations = {
    ...(endpointUrl !== null && {
      'serving.kserve.io/s3-endpoint': endpointUrl.replace(/^https?:\/\//, '').replace(/\/+$/, ''),
      'serving.kserve.io/s3-usehttps': endpointUrl.startsWith('https:') ? '1' : '0',
    }),
    ...(region !== null && {'serving.kserve.io/s3-region': region}),
  }
  const metadata = metadataOf(plan, secret)
  return [
    {
      ...{apiVersion: 'v1', kind: 'Secret', type: 'Opaque'},
      metadata: {...metadata, annotations: {...metadata.annotations, ...annotations}},
      stringData: {AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey},
    },
    {
      ...{apiVersion: 'v1', kind: 'ServiceAccount', metadata: metadataOf(plan, `${service}-sa`)},
      secrets: [{name: secret}],
    },
  ]
}

function statsContainer(image: string): object {
  const port = 6767
  return {
    name: 'kvctl-stats',
    image,
    args: ['serve', '--api', 'stats,vram,system', '--host', '0.0.0.0', '--no-auth', '--port', String(port)],
    ports: [{name: 'kvctl', containerPort: port, protocol: 'TCP'}],
    resources: {requests: {cpu: '50m', memory: '128Mi'}, limits: {cpu: '500m', memory: '256Mi'}},
    securityContext: containerSecurity(),
  }
}

function metadataOf({service, namespace, profileName}: DeployPlan, name: string): Manifest['metadata'] {
  return {
    ...{name, namespace},
    labels: {app: service, 'app.kubernetes.io/managed-by': FIELD_MANAGER},
    annotations: {'kvctl.dev/profile': profileName},
  }
}

function podSecurity(): object {
  return {
    ...{runAsNonRoot: true, runAsUser: USER_ID, fsGroup: USER_ID},
    seccompProfile: {type: 'RuntimeDefault'},
  }
}

function containerSecurity(): object {
  return {
    ...{runAsNonRoot: true, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false},
    capabilities: {drop: ['ALL']},
  }
}
