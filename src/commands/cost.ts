import {Flags, type Interfaces} from '@oclif/core'
import {costFlags, hoursFlag, namesHoldings, namesPrices, priceWishOf} from '../cli/cost-flags.js'
import {runDirFlag, runDirOf} from '../cli/flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {createReadingLine} from '../cli/reading-line.js'
import {clusterFlags, namespaceOf} from '../cli/cluster-flags.js'
import type {AskedCluster} from '../cli/cluster-service.js'
import {gpusHere, type GpusHere} from '../cli/gpus-here.js'
import {ConfigurationError, KvctlError} from '../lib/foundation/index.js'
import type {Pricing, RunDirectory, RunResults, RunWarning} from '../lib/runs/index.js'

/** The run's part of `results.json` that has to do with money. */
interface RunCostJson extends Pick<
  RunResults,
  | 'run_id'
  | 'cost'
  | 'cost_currency'
  | 'total_cost'
  | 'cost_per_request'
  | 'cost_per_1k_tokens'
  | 'cost_per_1k_output_tokens'
  | 'cost_breakdown'
> {
  readonly run_dir: string
  readonly pricing: Pricing
}

interface StandingCostJson {
  readonly cost: RunResults['cost']
  readonly cost_currency: string
  readonly duration_hours: number
  /** Null where a price is unknown. */
  readonly total_cost: number | null
  /** Those of the service; null where no cluster was asked. */
  readonly pods: readonly PodCostJson[] | null
  readonly pricing: Pricing
}

interface PodCostJson {
  readonly name: string
  readonly node: string | null
  /** Only these are paid for. */
  readonly ready: boolean
  readonly hourly_cost: string | null
}

export default class Cost extends KvctlCommand {
  static override summary = 'price a run, or a deployment that stands for some hours'
  static override description = [
    'Prices what a deployment holds (GPUs, cores, memory). For a run it writes pricing.json beside the requests and the cost into results.json; kvctl analyze finds the same later.',
    'A run that is priced already is shown again when nothing is said.',
    'With --duration it prices those hours, busy or idle, and touches no run.',
    'Without --gpu-type the GPUs that served name the price (with it, that of as many): those of the pods that the run recorded or --service has, each while it ran; else those that the run saw on its machine, else those of this machine.',
    'The price of a GPU is found by its exact name, else by model and memory size as whole words; a MIG slice costs its share. One that the price file does not know costs N/A, under --json null.',
  ].join('\n')
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --gpu-type NVIDIA-A100-SXM4-80GB',
    '<%= config.bin %> <%= command.id %> --run-dir runs/2026-01-31_14-30-15 --gpu-type H100-80GB --resources cpu=8,memory=64Gi,gpu=2 --cost-config cost.yaml',
    '<%= config.bin %> <%= command.id %> --namespace ml-prod --service demo-llm --duration 24 --cost-config cost.yaml',
    '<%= config.bin %> <%= command.id %> --duration 720 --gpu-type A10 --resources cpu=2,memory=12Gi,gpu=1 --json',
  ]
  static override enableJsonFlag = true
  static override flags = {
    'run-dir': runDirFlag,
    ...costFlags,
    duration: hoursFlag({
      description: 'price so many hours of standing instead of a run (also 90m, 7d)',
      exclusive: ['run-dir'],
    }),
    namespace: Flags.string({
      description: "the service's Kubernetes namespace (also KVMINI_NAMESPACE; default default)",
    }),
    service: Flags.string({
      description: 'the service of KServe whose pods are priced, each by the GPU of its node',
    }),
    ...clusterFlags,
  }

  async run(): Promise<RunCostJson | StandingCostJson> {
    const {flags} = await this.parse(Cost)
    const {namespace, service} = flags
    const namesService = service !== undefined || (namespace !== undefined && !namesHoldings(flags))
    const asksCluster = namesService && flags.resources === undefined
    if (flags.duration !== undefined && asksCluster) return this.#standingPods(flags.duration, flags)
    if (flags.duration !== undefined)
      return this.#standing(flags.duration, await this.#pricing(flags, null), null)
    const {openRunDirectory, readPricing, writePricing} = await import('../lib/runs/index.js')
    const {analyzeRun, EmptyRunError} = await import('../lib/analysis/index.js')
    const reading = createReadingLine()
    const run = await reading.watch(await openRunDirectory(runDirOf(flags['run-dir'])))
    if (asksCluster) await this.#recordPods(run, flags)
    const known = namesPrices(flags) || asksCluster ? null : await readPricing(run)
    const pricing = known ?? (await this.#pricing(flags, run))
    await writePricing(run, pricing)
    const {results, held} = await analyzeRun(run, {namespace, service}).finally(() => reading.end())
    if (results.requests.total === 0) throw new EmptyRunError(run.path)
    this.#warn(pricing.warnings)
    const {runCostSummary} = await import('../cli/cost-summary.js')
    this.log(runCostSummary(results, held ?? pricing))
    const {run_id, cost, cost_currency, total_cost, cost_breakdown} = results
    const {cost_per_request, cost_per_1k_tokens, cost_per_1k_output_tokens} = results
    return {
      run_dir: run.path,
      run_id,
      cost,
      cost_currency,
      total_cost,
      cost_per_request,
      cost_per_1k_tokens,
      cost_per_1k_output_tokens,
      cost_breakdown,
      pricing,
    }
  }

  async #standing(
    hours: number,
    pricing: Pricing,
    pods: StandingCostJson['pods'],
  ): Promise<StandingCostJson> {
    const {hourlyJson, standingCost} = await import('../lib/cost/index.js')
    const cost = {cost_per_1k_tokens: null, ...hourlyJson(pricing)}
    const total = standingCost(pricing, hours)
    this.#warn(pricing.warnings)
    const {standingCostSummary} = await import('../cli/cost-summary.js')
    this.log(standingCostSummary(hours, total, cost, pricing))
    return {
      cost,
      cost_currency: pricing.currency,
      duration_hours: hours,
      total_cost: total,
      pods,
      pricing,
    }
  }

  /** What the ready pods of a service cost. */
  async #standingPods(hours: number, flags: CostFlags & ServiceFlags): Promise<StandingCostJson> {
    const {heldBy, heldNow, hourlyJson, isReadyNow, pricePods} = await import('../lib/cost/index.js')
    const {podsNow} = await import('../cli/recorded-pods.js')
    const record = await podsNow(askedOf(flags, null, null), this.signal)
    const pricing = pricePods(record, await priceWishOf(flags))
    const pods = pricing.pods.map(pod => ({
      ...{name: pod.name, node: pod.node, ready: isReadyNow(pod)},
      hourly_cost: hourlyJson(heldBy(pod, pricing)).hourly_cost,
    }))
    return this.#standing(hours, heldNow(pricing), pods)
  }

  /** Pods that the run did not record: those that are there now tell when they ran. What can be priced without is not insisted on. */
  async #recordPods(run: RunDirectory, flags: CostFlags & ServiceFlags): Promise<void> {
    const {readClusterRecord, readMeta} = await import('../lib/runs/index.js')
    const {recordPodsOf} = await import('../cli/recorded-pods.js')
    const meta = await readMeta(run).catch(() => null)
    const asked = askedOf(flags, meta?.namespace ?? null, meta?.service ?? null)
    try {
      await recordPodsOf(run, asked, this.signal)
    } catch (error) {
      const isEnough = flags['gpu-type'] !== undefined || (await readClusterRecord(run)) !== null
      if (!(error instanceof KvctlError) || !isEnough) throw error
      this.note(`Warning: pods of ${asked.name} are not seen: ${error.message}`)
    }
  }

  /** @param run null prices what stands on this machine */
  async #pricing(flags: CostFlags, run: RunDirectory | null): Promise<Pricing> {
    const {priceRecordedPods, priceResources, seenByRun} = await import('../lib/cost/index.js')
    const wish = await priceWishOf(flags)
    const ofPods = run && (await priceRecordedPods(run, wish))
    if (ofPods !== null) return ofPods
    const {list, notes, ...holdings} = wish
    const recorded = run && (await seenByRun(run))
    if (recorded !== null || holdings.gpuType !== null || holdings.resources.gpus === 0)
      return priceResources({...holdings, seen: recorded}, list, notes)
    const here = run === null ? await gpusHere([], this.signal) : await this.#gpusBehind(run)
    if ('kinds' in here) {
      const now = {
        code: 'gpus_of_machine',
        message: 'the run recorded no GPU: those of this machine now are priced',
      }
      const seen = {...here, notes: run === null ? [] : [now]}
      return priceResources({...holdings, seen}, list, notes)
    }
    try {
      return priceResources({...holdings, seen: null}, list, notes)
    } catch (error) {
      if (!(error instanceof ConfigurationError) || error.code !== 'RESOURCES_MISSING') throw error
      throw new ConfigurationError(error.code, `${error.message}: ${here.why}`, {
        suggestions: error.suggestions,
      })
    }
  }

  /** For a run whose samples hold no GPU: those of this machine, if its server was here. */
  async #gpusBehind(run: RunDirectory): Promise<GpusHere> {
    const {readMeta} = await import('../lib/runs/index.js')
    const meta = await readMeta(run).catch(() => null)
    if (meta?.server?.is_embedded === true)
      return {why: "kvctl's own engine, which served the run, uses no GPU"}
    const urls = meta?.urls.length === 0 ? [meta.url] : (meta?.urls ?? [])
    const known = urls.filter(url => url !== null)
    if (known.length === 0) return {why: 'the run does not say where its server was'}
    return gpusHere(known, this.signal)
  }

  #warn(warnings: readonly RunWarning[]): void {
    for (const {message} of warnings) this.note(`Warning: ${message}`)
  }
}

interface ServiceFlags {
  readonly namespace?: string | undefined
  readonly service?: string | undefined
  readonly context?: string | undefined
  readonly kind?: AskedCluster['kind'] | undefined
}

/** What the flags name, else what the run recorded, if any. */
function askedOf(
  {namespace, service, context, kind}: ServiceFlags,
  recordedNamespace: string | null,
  recordedService: string | null,
): AskedCluster {
  const name = service ?? recordedService
  if (name !== null) {
    const where = namespaceOf(namespace ?? recordedNamespace ?? undefined)
    return {kind: kind ?? null, name, namespace: where, context: context ?? null}
  }
  throw new ConfigurationError('SERVICE_MISSING', `whose pods in ${namespace} are to be priced is not said`, {
    suggestions: ['--service demo-llm', '--gpu-type A100-80GB --resources cpu=2,memory=12Gi,gpu=1'],
  })
}

type CostFlags = Interfaces.InferredFlags<typeof costFlags>
