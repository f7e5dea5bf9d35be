import {Flags} from '@oclif/core'
import {alignColumns} from '../../cli/align-columns.js'
import {deployedFlags, namespaceOf, readyTimeoutFlag} from '../../cli/cluster-flags.js'
import {countFlag} from '../../cli/flags.js'
import {KvctlCommand} from '../../cli/kvctl-command.js'
import {serviceLines} from '../../cli/service-lines.js'
import {whileWaiting} from '../../cli/waiting-line.js'
import {errorDocument, systemClock, ValidationError, type ErrorDocument} from '../../lib/foundation/index.js'
import type {DeployPlan, Manifest, PolicyViolation, ServiceJson, ViolationJson} from '../../lib/kube/index.js'
import {kubernetesCluster} from '../../wiring/index.js'

interface DryRunJson {
  readonly manifests: readonly Manifest[]
  readonly notes: readonly string[]
}

interface CheckJson extends Partial<ErrorDocument> {
  readonly violations: readonly ViolationJson[]
}

export default class Deploy extends KvctlCommand {
  static override summary = 'deploy a model on KServe and wait until it serves'
  static override description = `Makes an InferenceService (or an LLMInferenceService) of a model and a profile, with a ConfigMap that records its settings,
applies them through kubectl under the field manager kvctl, and waits until the service is ready; pods that cannot be scheduled,
pull their image or keep their memory say so. vllm_features of the profile become arguments of vLLM, its resources those of the
container. Nothing runs as root or writes to its image. --dry-run prints YAML for kubectl apply -f -, and needs no cluster.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --service demo-llm --namespace ml-prod --model-uri s3://models/llama-3.1-8b/ --profile standard',
    '<%= config.bin %> <%= command.id %> --service demo-llm --model-uri hf://Qwen/Qwen3-8B --dry-run | kubectl apply -f -',
    '<%= config.bin %> <%= command.id %> --service demo-llm --model-uri hf://Qwen/Qwen3-8B --check',
  ]
  static override enableJsonFlag = true
  static override flags = {
    ...deployedFlags,
    'model-uri': Flags.string({
      description: 'where the model is: s3://, hf://, pvc://, gs://, oci:// or https://',
      required: true,
      helpValue: 'URI',
    }),
    profile: Flags.string({
      description: 'profile with the features of vLLM and the resources',
      default: 'standard',
      helpValue: 'NAME|FILE',
    }),
    runtime: Flags.string({description: 'serving runtime (default chosen by KServe)', helpValue: 'NAME'}),
    'model-format': Flags.string({
      description: "model format as the runtime spells it (default the cluster's spelling of vLLM)",
      helpValue: 'NAME',
    }),
    'min-replicas': countFlag({description: 'fewest replicas', min: 0, default: 1}),
    'max-replicas': countFlag({description: 'most replicas', min: 1, default: 1}),
    'create-s3-secret': Flags.boolean({
      description:
        'make a Secret and a ServiceAccount of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION and S3_ENDPOINT_URL',
    }),
    'with-stats-sidecar': Flags.string({
      description: 'run kvctl serve --api stats,vram beside the engine, from this image',
      helpValue: 'IMAGE',
    }),
    'dry-run': Flags.boolean({description: 'print the manifests and apply nothing', exclusive: ['check']}),
    check: Flags.boolean({
      description: 'tell what in the manifests breaks the rules of a careful cluster, and apply nothing',
    }),
    'force-conflicts': Flags.boolean({description: 'take over fields that somebody else manages'}),
    timeout: readyTimeoutFlag,
  }

  async run(): Promise<ServiceJson | DryRunJson | CheckJson> {
    const {flags} = await this.parse(Deploy)
    const kube = await import('../../lib/kube/index.js')
    const {checkPolicies, manifestsOf, planOf, s3FromEnvironment, serviceJson, violationJson} = kube
    const {loadProfile} = await import('../../lib/profiles/index.js')
    const {profile, warnings} = await loadProfile(flags.profile)
    for (const warning of warnings) this.logger.warn(warning)
    const {kind, service: named} = flags
    const what = {kind, service: named, namespace: namespaceOf(flags.namespace), modelUri: flags['model-uri']}
    const plan: DeployPlan = {
      ...planOf(what, profile),
      ...{runtime: flags.runtime ?? null, format: flags['model-format'] ?? 'vLLM'},
      minReplicas: flags['min-replicas'],
      maxReplicas: Math.max(flags['min-replicas'], flags['max-replicas']),
      s3: flags['create-s3-secret'] ? s3FromEnvironment(process.env) : null,
      statsImage: flags['with-stats-sidecar'] ?? null,
    }
    const {manifests, notes} = manifestsOf(plan)
    for (const note of notes) this.note(note)
    if (flags['dry-run']) return this.#print(manifests, notes)
    if (flags.check) {
      const violations = checkPolicies(manifests)
      this.#explain(violations)
      const checked = {violations: violations.map(violationJson)}
      if (violations.length === 0) return checked
      const broken = new ValidationError(
        'POLICY_BROKEN',
        `the manifests of '${plan.service}' break ${violations.length} of the rules`,
      )
      if (!this.jsonEnabled()) throw broken
      process.exitCode = broken.exitCode
      return {...checked, ...errorDocument(broken)}
    }
    const cluster = await kubernetesCluster(flags.context ?? null)
    const options = {
      isFormatAsked: flags['model-format'] !== undefined,
      isForced: flags['force-conflicts'],
      timeoutMs: flags.timeout,
      clock: systemClock,
    }
    const look = await whileWaiting(`Deploying ${plan.service}`, flags.timeout, note =>
      kube.deployService(cluster, plan, options, note, this.signal),
    )
    const service = serviceJson(look)
    this.log(serviceLines(service).join('\n'))
    return service
  }

  /** The Secret is left out: its values are printed nowhere. */
  async #print(all: readonly Manifest[], notes: readonly string[]): Promise<DryRunJson> {
    const {yamlText} = await import('../../lib/config/index.js')
    const manifests = all.filter(({kind}) => kind !== 'Secret')
    for (const {metadata} of all.filter(({kind}) => kind === 'Secret'))
      this.note(`Secret ${metadata.name} is left out: its values are never printed`)
    this.log(yamlText(manifests).trimEnd())
    return {manifests, notes}
  }

  #explain(violations: readonly PolicyViolation[]): void {
    if (violations.length === 0) {
      this.log('Nothing runs as root or writes to its image, and everything has requests and limits.')
      return
    }
    const columns = [
      ['Object', 'left'],
      ['Where', 'left'],
      ['Why', 'left'],
    ] as const
    this.log(
      alignColumns(
        columns,
        violations.map(({object, path, because}) => [object, path, because]),
      ).join('\n'),
    )
  }
}
