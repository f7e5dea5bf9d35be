import * as z from 'zod'

/**
 * What an API server with KServe 0.20 accepts of the objects that kvctl makes: the fields of the CRDs and of Kubernetes' own
 * types that they embed, every other field refused as strict field validation does.
 *
 * @see kserve/kserve:pkg/apis/serving/v1beta1/component.go, predictor.go, predictor_model.go
 * @see kserve/kserve:pkg/apis/serving/v1alpha2/llm_inference_service_types.go
 * @see kubernetes/api:core/v1/types.go
 */
const quantity = z.string().regex(/^\d+(\.\d+)?([eE][+-]?\d+|[numkKMGTPE]|[KMGTPE]i)?$/)
const name63 = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/)
const int32 = z
  .int()
  .min(-(2 ** 31))
  .max(2 ** 31 - 1)
const metadata = z.strictObject({
  name: name63,
  namespace: name63,
  labels: z.record(z.string(), z.string().regex(/^([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?$/)).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
})

const envVar = z
  .strictObject({
    name: z.string().min(1),
    value: z.string().optional(),
    valueFrom: z.looseObject({}).optional(),
  })
  .refine(({name}) => name !== 'PYTHONPATH', 'the webhook refuses PYTHONPATH')
const resources = z
  .strictObject({
    requests: z.record(z.string(), quantity).optional(),
    limits: z.record(z.string(), quantity).optional(),
  })
  .refine(
    ({requests = {}, limits = {}}) =>
      Object.entries(requests).every(([key, amount]) => !key.includes('/') || limits[key] === amount),
    'the limit of a device is its request',
  )
const containerSecurity = z.strictObject({
  runAsNonRoot: z.boolean().optional(),
  runAsUser: z.int().optional(),
  readOnlyRootFilesystem: z.boolean().optional(),
  allowPrivilegeEscalation: z.boolean().optional(),
  capabilities: z
    .strictObject({drop: z.array(z.string()).optional(), add: z.array(z.string()).optional()})
    .optional(),
})
const container = {
  name: name63,
  image: z.string().optional(),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
  env: z.array(envVar).optional(),
  ports: z
    .array(
      z.strictObject({
        name: z.string().max(15).optional(),
        containerPort: int32,
        protocol: z.enum(['TCP', 'UDP']).optional(),
      }),
    )
    .optional(),
  resources: resources.optional(),
  securityContext: containerSecurity.optional(),
  volumeMounts: z
    .array(
      z.strictObject({name: name63, mountPath: z.string().startsWith('/'), readOnly: z.boolean().optional()}),
    )
    .optional(),
}
const podSpec = {
  serviceAccountName: name63.optional(),
  securityContext: z
    .strictObject({
      runAsNonRoot: z.boolean().optional(),
      runAsUser: z.int().optional(),
      fsGroup: z.int().optional(),
      seccompProfile: z
        .strictObject({type: z.enum(['RuntimeDefault', 'Unconfined', 'Localhost'])})
        .optional(),
    })
    .optional(),
  volumes: z
    .array(
      z.strictObject({name: name63, emptyDir: z.strictObject({sizeLimit: quantity.optional()}).optional()}),
    )
    .optional(),
}

/** Every volume that is mounted is there. */
function mountsAreThere(pod: {
  volumes?: readonly {name: string}[] | undefined
  containers?: readonly {volumeMounts?: readonly {name: string}[] | undefined}[] | undefined
  model?: {volumeMounts?: readonly {name: string}[] | undefined} | undefined
}): boolean {
  const names = new Set(pod.volumes?.map(({name}) => name))
  const all = [...(pod.containers ?? []), ...(pod.model ? [pod.model] : [])]
  return all.every(({volumeMounts = []}) => volumeMounts.every(({name}) => names.has(name)))
}

const inferenceService = z.strictObject({
  apiVersion: z.literal('serving.kserve.io/v1beta1'),
  kind: z.literal('InferenceService'),
  metadata: metadata.extend({name: z.string().regex(/^[a-z]([-a-z0-9]*[a-z0-9])?$/)}),
  spec: z.strictObject({
    predictor: z
      .strictObject({
        ...podSpec,
        minReplicas: int32.min(0).optional(),
        maxReplicas: int32.optional(),
        scaleMetric: z.enum(['cpu', 'memory', 'concurrency', 'rps']).optional(),
        scaleTarget: int32.optional(),
        containers: z.array(z.strictObject(container)).optional(),
        model: z
          .strictObject({
            ...container,
            name: name63.optional(),
            modelFormat: z.strictObject({name: z.string().min(1), version: z.string().optional()}),
            runtime: z.string().optional(),
            runtimeVersion: z.string().optional(),
            protocolVersion: z.string().optional(),
            storageUri: z
              .string()
              .regex(/^(gs|s3|pvc|file|https?|hdfs|webhdfs|oci(\+native|\+fetch)?|hf):\/\//),
          })
          .optional(),
      })
      .refine(mountsAreThere, 'a volume that is mounted is missing'),
  }),
})

const llmInferenceService = z.strictObject({
  apiVersion: z.literal('serving.kserve.io/v1alpha2'),
  kind: z.literal('LLMInferenceService'),
  metadata,
  spec: z.strictObject({
    model: z.strictObject({uri: z.string().regex(/^(hf|s3|pvc|oci):\/\//), name: z.string().optional()}),
    replicas: int32.min(0).optional(),
    router: z
      .strictObject({
        route: z.strictObject({http: z.looseObject({}).optional()}).optional(),
        gateway: z.strictObject({refs: z.array(z.looseObject({})).optional()}).optional(),
        scheduler: z.looseObject({}).optional(),
      })
      .optional(),
    template: z
      .strictObject({...podSpec, containers: z.array(z.strictObject(container))})
      .refine(mountsAreThere, 'a volume that is mounted is missing')
      .optional(),
  }),
})

const probe = z.strictObject({
  httpGet: z.strictObject({path: z.string(), port: z.union([int32, z.string()])}),
  periodSeconds: int32.optional(),
})
const labels = z.record(z.string(), z.string())

/** @see kubernetes/api:apps/v1/types.go */
const daemonSet = z.strictObject({
  ...{apiVersion: z.literal('apps/v1'), kind: z.literal('DaemonSet'), metadata},
  spec: z
    .strictObject({
      selector: z.strictObject({matchLabels: labels}),
      template: z.strictObject({
        metadata: z.strictObject({labels, annotations: labels.optional()}),
        spec: z
          .strictObject({
            ...podSpec,
            runtimeClassName: z.string().optional(),
            nodeSelector: labels.optional(),
            tolerations: z
              .array(
                z.strictObject({
                  ...{key: z.string().optional(), value: z.string().optional()},
                  operator: z.enum(['Exists', 'Equal']).optional(),
                  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
                }),
              )
              .optional(),
            automountServiceAccountToken: z.boolean().optional(),
            containers: z.array(z.strictObject({...container, readinessProbe: probe.optional()})),
          })
          .refine(mountsAreThere, 'a volume that is mounted is missing'),
      }),
    })
    .refine(
      ({selector, template}) =>
        Object.entries(selector.matchLabels).every(([key, value]) => template.metadata.labels[key] === value),
      'the selector does not find the pods',
    ),
})

/** By kind; what a cluster without KServe knows too stands first. */
export const KUBE_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  ConfigMap: z.strictObject({
    ...{apiVersion: z.literal('v1'), kind: z.literal('ConfigMap'), metadata},
    data: z.record(z.string(), z.string()).optional(),
  }),
  Secret: z.strictObject({
    ...{apiVersion: z.literal('v1'), kind: z.literal('Secret'), metadata},
    type: z.string().optional(),
    stringData: z.record(z.string(), z.string()).optional(),
    data: z.record(z.string(), z.base64()).optional(),
  }),
  ServiceAccount: z.strictObject({
    ...{apiVersion: z.literal('v1'), kind: z.literal('ServiceAccount'), metadata},
    secrets: z.array(z.strictObject({name: name63})).optional(),
  }),
  DaemonSet: daemonSet,
  InferenceService: inferenceService,
  LLMInferenceService: llmInferenceService,
}

/** @returns why an API server would refuse the object; null when it would not */
export function refusalOf(object: {kind: string}): string | null {
  const schema = KUBE_SCHEMAS[object.kind]
  if (schema === undefined) return `no kind ${object.kind}`
  const {error} = schema.safeParse(object)
  return error === undefined
    ? null
    : error.issues.map(({path, message}) => `${path.join('.')}: ${message}`).join(', ')
}
