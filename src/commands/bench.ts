import {join} from 'node:path'
import {Flags} from '@oclif/core'
import {costFlags, namesPrices, runPricesOf} from '../cli/cost-flags.js'
import {apiKeyOf} from '../cli/api-key.js'
import {LoadCommand} from '../cli/load-command.js'
import {planText} from '../cli/plan-summary.js'
import {runSummary} from '../cli/run-summary.js'
import {missedObjectives, sloLines} from '../cli/slo-verdict.js'
import {promUrlFlag, promUrlOf, recordPrometheus, requirePrometheus} from '../cli/prometheus-flags.js'
import {clusterFlags, readyTimeoutFlag} from '../cli/cluster-flags.js'
import type {FoundService} from '../cli/cluster-service.js'
import type {BenchAsk, BenchOutcome, PlanJson} from '../lib/bench/index.js'
import type {ServiceKind} from '../lib/kube/index.js'
import type {PriceWish} from '../lib/cost/index.js'
import type {GateJson, GateVerdict} from '../lib/gate/index.js'
import {ConfigurationError, formatSize, KvctlError, NetworkError} from '../lib/foundation/index.js'
import type {RunDirectory, RunResults} from '../lib/runs/index.js'

interface BenchResult extends RunResults {
  readonly run_dir: string
  /** How the run stands to its `--slo`; null without. */
  readonly slo: GateJson | null
}

/** What is to be done with a run once it is measured. */
interface Wishes {
  readonly prices: PriceWish | null
  /** By flags, and not only by a price file that lies ready. */
  readonly arePricesAsked: boolean
  readonly allowsInconclusive: boolean
  readonly bundlePath: string | null
  readonly prometheus: string | null
  readonly isInsecure: boolean
}

interface BenchFlags {
  readonly 'dry-run': boolean
  readonly resume: boolean
  readonly 'skip-deploy': boolean
  readonly 'model-uri': string | undefined
  readonly profile: string | undefined
  readonly service: string | undefined
  readonly kind: ServiceKind | undefined
  readonly context: string | undefined
  readonly insecure: boolean
  readonly url: string[] | undefined
  readonly 'ready-timeout': number
}

export default class Bench extends LoadCommand {
  static override summary = 'measure how fast a server streams its answers'
  static override description = [
    'Sends requests to an OpenAI-compatible server, measures every answer, and leaves a run directory with requests.csv, results.json and report.html.',
    "Without --url it starts kvctl's own engine as a process of its own and measures that, or with --service a service of KServe, whose pods are recorded with the run.",
    'Without --rate a steady load keeps --concurrency requests in flight; with --rate requests leave on schedule, however slow the server is.',
    "--slo 'p95(ttft) <= 500ms' judges the run as kvctl gate does: PASS, FAIL or INCONCLUSIVE by the whole interval, and 5 unless all pass.",
    "Rules of the profile's validation block are judged at the end: PASS or FAIL on stderr, and 5 when one is missed.",
    'Ctrl-C stops sending and keeps what was measured; --resume sends what is missing, also after a crash.',
  ].join('\n')
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --url http://localhost:8000 --requests 500 --concurrency 20',
    '<%= config.bin %> <%= command.id %> --url http://localhost:8000 --rate 5 --duration 60s --pattern poisson',
    "<%= config.bin %> <%= command.id %> --url http://localhost:8000 --requests 1000 --slo 'p95(ttft) <= 500ms' --slo 'error_rate < 1%'",
    '<%= config.bin %> <%= command.id %> --url http://localhost:8000 --tokenizer models/llama/tokenizer.json',
    '<%= config.bin %> <%= command.id %> --namespace ml-prod --service demo-llm',
    '<%= config.bin %> <%= command.id %> --resume --run-dir runs/latest',
    '<%= config.bin %> <%= command.id %> --dry-run --json',
  ]
  static override enableJsonFlag = true
  static override flags = {
    ...LoadCommand.runFlags,
    ...costFlags,
    'list-profiles': Flags.boolean({description: 'print the names of the shipped profiles'}),
    namespace: Flags.string({description: 'Kubernetes namespace of --service (also KVMINI_NAMESPACE)'}),
    service: Flags.string({
      description: 'name of the service of KServe: found in the cluster without --url, a note beside it',
    }),
    ...clusterFlags,
    'model-uri': Flags.string({description: 'model to deploy first'}),
    'skip-deploy': Flags.boolean({description: 'measure what is deployed already'}),
    'ready-timeout': readyTimeoutFlag,
    'prom-url': promUrlFlag,
    bundle: Flags.string({
      description:
        'pack the run with what reproduces it: its files, workload, command and seeds, as one tar.gz',
      helpValue: 'FILE',
    }),
  }

  #found: FoundService | null = null

  async run(): Promise<BenchResult | PlanJson | readonly string[]> {
    const parsed = await this.parse(Bench)
    const {flags} = parsed
    if (flags['list-profiles']) {
      const {shippedProfiles} = await import('../lib/profiles/index.js')
      const names = await shippedProfiles()
      this.log(names.join('\n'))
      return names
    }
    const notes = {
      namespace: flags.namespace ?? (process.env['KVMINI_NAMESPACE'] || 'default'),
      service: flags.service ?? null,
    }
    const apiKey = apiKeyOf(flags['api-key'], ['KVCTL_API_KEY', 'KVMINI_API_KEY', 'OPENAI_API_KEY'])
    const asked = await this.ask(await this.#locate(parsed, notes.namespace, apiKey), notes, apiKey)
    const ask = flags['dry-run'] ? asked : this.#withSleeper(await this.#locateAgain(asked, flags))
    const prices = await runPricesOf(flags, message => this.note(`Warning: ${message}`))
    if (flags['dry-run']) {
      const {planJson} = await import('../lib/bench/index.js')
      const shown = planJson(ask)
      this.log(planText(shown))
      return shown
    }
    const wishes = {
      ...{prices, arePricesAsked: namesPrices(flags)},
      ...{allowsInconclusive: flags['allow-inconclusive'], bundlePath: flags.bundle ?? null},
      prometheus: promUrlOf(flags['prom-url']),
      isInsecure: flags.insecure,
    }
    await this.#prepare(wishes, flags['prom-url'] !== undefined)
    const outcome = await this.#withPods(started =>
      this.measure(ask, flags['output-dir'] ?? null, flags.plain, started),
    )
    return this.#conclude(outcome, wishes)
  }

  /** With `--service` and no address: that of the service in its cluster, which `--model-uri` deploys first. */
  async #locate<P extends {flags: BenchFlags}>(
    parsed: P,
    namespace: string,
    apiKey: string | null,
  ): Promise<P> {
    const {flags} = parsed
    const modelUri = flags['skip-deploy'] ? null : (flags['model-uri'] ?? null)
    if (flags['dry-run'] || flags.resume || (flags.url !== undefined && modelUri === null)) return parsed
    if (flags.service === undefined) {
      if (modelUri === null) return parsed
      throw new ConfigurationError('SERVICE_MISSING', `deploying ${modelUri} needs the name of the service`, {
        suggestions: ['--service demo-llm'],
      })
    }
    const {findMeasured} = await import('../cli/cluster-service.js')
    const measured = {
      ...{kind: flags.kind ?? null, name: flags.service, namespace, context: flags.context ?? null},
      ...{modelUri, profile: flags.profile ?? 'standard', earlier: null, url: flags.url?.[0] ?? null},
      readyMs: flags['ready-timeout'],
    }
    const trial = {apiKey, isInsecure: flags.insecure}
    this.#found = await findMeasured(measured, trial, line => this.note(line), this.signal)
    return {...parsed, flags: {...flags, url: flags.url ?? [this.#found.url]}}
  }

  /** A run whose pods were watched goes on where its service answers now, and watches them again. */
  async #locateAgain(ask: BenchAsk, flags: BenchFlags): Promise<BenchAsk> {
    const {resume} = ask
    const {requestsIn} = await import('../lib/bench/index.js')
    if (resume === null || requestsIn(resume.list) === 0) return ask
    const {readClusterRecord} = await import('../lib/runs/index.js')
    const earlier = await readClusterRecord(resume.run)
    if (earlier?.is_watched !== true) return ask
    const {findMeasured} = await import('../cli/cluster-service.js')
    const {kind, service: name, namespace} = earlier
    const measured = {
      ...{kind, name, namespace, context: flags.context ?? earlier.context, earlier},
      ...{modelUri: null, profile: 'standard', url: flags.url?.[0] ?? null},
      readyMs: flags['ready-timeout'],
    }
    const {apiKey, isInsecure} = ask
    try {
      const tell = (line: string): void => this.note(line)
      this.#found = await findMeasured(measured, {apiKey, isInsecure}, tell, this.signal)
    } catch (error) {
      if (!(error instanceof KvctlError)) throw error
      if (measured.url === null) {
        this.note(`--url URL resumes the run elsewhere, also where ${name} is gone`)
        throw error
      }
      this.note(`Warning: pods of ${name} are not watched: ${error.message}`)
      return ask
    }
    return measured.url === null ? {...ask, urls: [this.#found.url]} : ask
  }

  /** A service without pods is not asked which model it serves. */
  #withSleeper(ask: BenchAsk): BenchAsk {
    const asleep = this.#found?.asleep ?? null
    if (asleep === null) return ask
    const {warmupRequests} = ask.plan
    if (ask.resume === null && warmupRequests > 0)
      this.note(`The start falls into the ${warmupRequests} requests of the warm-up: --warmup 0 measures it`)
    return {...ask, model: ask.model ?? asleep.model, asleep: {apiPath: asleep.apiPath}}
  }

  /** Watches the pods of a service of the cluster while it is measured, and keeps in the run what becomes of them. */
  async #withPods(
    measure: (started: (run: RunDirectory) => void) => Promise<BenchOutcome>,
  ): Promise<BenchOutcome> {
    if (this.#found === null) return measure(() => undefined)
    const {endPods, keepPods} = await import('../cli/recorded-pods.js')
    const recording = this.#found.watchPods()
    await recording.seen
    let begun: RunDirectory | null = null
    try {
      return await measure(run => keepPods(recording, (begun = run)))
    } finally {
      for (const line of await endPods(recording, begun)) this.note(`Warning: ${line}`)
    }
  }

  protected override async finally(error: Error | undefined): Promise<void> {
    await this.#found?.close()
    await super.finally(error)
  }

  /** What would fail after the run fails before it; a Prometheus that only a variable names is not insisted on. */
  async #prepare({bundlePath, prometheus, isInsecure}: Wishes, isPrometheusAsked: boolean): Promise<void> {
    if (bundlePath !== null) {
      const {requireBundlePath} = await import('../lib/bundle/index.js')
      await requireBundlePath(bundlePath)
    }
    if (prometheus !== null && isPrometheusAsked) await requirePrometheus(prometheus, isInsecure, this.signal)
  }

  async #price(run: RunDirectory, {prices, arePricesAsked}: Wishes): Promise<void> {
    if (prices === null) return
    const {priceRun} = await import('../lib/cost/index.js')
    if ((await priceRun(run, prices)) !== null || !arePricesAsked) return
    this.note(
      'Warning: the run is not priced: no GPU was seen to serve it, and neither --gpu-type nor --resources says what the server holds',
    )
  }

  /** Analysis and report follow even when the run was stopped: what was measured is worth reading. */
  async #conclude(outcome: BenchOutcome, wishes: Wishes): Promise<BenchResult> {
    const {allowsInconclusive} = wishes
    const {run, url, wasStopped, outcomes} = outcome
    if (outcomes.size === 0) this.tellStop(outcome)
    const {RUN_FILES} = await import('../lib/runs/index.js')
    const {analyzeRun} = await import('../lib/analysis/index.js')
    const {runVerdict} = await import('../lib/bench/index.js')
    const {gateJson, missedRules, validationLines} = await import('../lib/gate/index.js')
    await this.#price(run, wishes)
    if (outcomes.size > 0 && !wasStopped) await this.#askPrometheus(run, wishes)
    const {results} = await analyzeRun(run)
    const report = await this.#report(run)
    this.log(runSummary(results))
    for (const {message} of results.warnings) this.note(`Warning: ${message}`)
    if (results.validation) for (const line of validationLines(results.validation)) this.note(line)
    const judged = await judgedBy(run, results)
    for (const line of judged === null ? [] : sloLines(judged)) this.note(line)
    this.note(`Run: ${run.path}`)
    this.note(`Report: ${report} (open it in a browser)`)
    await this.#bundle(run, wishes.bundlePath)
    this.tellStop(outcome)
    if (wasStopped) this.signal.throwIfAborted()
    const missedGoals = judged && missedObjectives(judged, allowsInconclusive)
    const failure = runVerdict(outcomes, url) ?? missedRules(results) ?? missedGoals
    if (failure !== null) throw failure
    this.note(`Next: kvctl analyze --run-dir ${run.path} --json prints every figure`)
    const {results: file} = RUN_FILES
    const path = join(run.path, file)
    return {...results, run_dir: run.path, slo: judged && gateJson(judged, {runId: results.run_id, path})}
  }

  /** A run that was measured is not lost because nobody answers any more, or waits. */
  async #askPrometheus(run: RunDirectory, {prometheus, isInsecure}: Wishes): Promise<void> {
    if (prometheus === null) return
    const {readMeta} = await import('../lib/runs/index.js')
    const {namespace, service} = await readMeta(run)
    const of = service === null ? null : {namespace: namespace ?? 'default', service}
    try {
      const lines = await recordPrometheus(run, {url: prometheus, isInsecure, of}, this.signal)
      for (const line of lines) this.note(`Warning: ${line}`)
    } catch (error) {
      const why = error instanceof NetworkError ? error.message : 'Prometheus was not waited for'
      if (!(error instanceof NetworkError || this.signal.aborted)) throw error
      this.note(`Warning: ${why}; kvctl analyze --run-dir ${run.path} --prom-url asks again`)
    }
  }

  async #bundle(run: RunDirectory, path: string | null): Promise<void> {
    if (path === null) return
    const {writeBundle} = await import('../lib/bundle/index.js')
    const bundle = await writeBundle(run, path)
    for (const warning of bundle.warnings) this.note(`Warning: ${warning}`)
    this.note(`Bundle: ${bundle.path} (${formatSize(bundle.bytes)})`)
  }

  async #report(run: RunDirectory): Promise<string> {
    const {RUN_FILES} = await import('../lib/runs/index.js')
    const {writeReport} = await import('../lib/report/index.js')
    const path = join(run.path, RUN_FILES.report)
    await writeReport(run, path)
    return path
  }
}

/** The run's own objectives, those of an earlier part too, judged as `kvctl gate` judges them; null without. */
async function judgedBy(run: RunDirectory, results: RunResults): Promise<GateVerdict | null> {
  const {readMeta} = await import('../lib/runs/index.js')
  const {gatedResultsOf, judgeRun, parseObjective} = await import('../lib/gate/index.js')
  const {objectives} = await readMeta(run)
  if (objectives.length === 0) return null
  return judgeRun(gatedResultsOf(results), objectives.map(parseObjective), {allowsMissing: false})
}
