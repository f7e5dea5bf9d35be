import {join} from 'node:path'
import {Flags} from '@oclif/core'
import {costFlags, namesHoldings, namesPrices, pricingOfFlags} from '../cli/cost-flags.js'
import {limitFlags, loadFlags, readLoadFlags, requestFlags, targetFlags} from '../cli/bench-flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {planJson, planText, type PlanJson} from '../cli/plan-summary.js'
import {createProgressLine} from '../cli/progress-line.js'
import {runSummary} from '../cli/run-summary.js'
import {missedRules, validationLines} from '../cli/validation-lines.js'
import type {BenchAsk, BenchOutcome} from '../lib/bench/index.js'
import {NetworkError} from '../lib/foundation/index.js'
import type {Pricing, RunDirectory, RunResults} from '../lib/runs/index.js'
import {benchParts} from '../wiring.js'

interface BenchResult extends RunResults {
  readonly run_dir: string
}

export default class Bench extends KvctlCommand {
  static override summary = 'measure how fast a server streams its answers'
  static override description = [
    'Sends requests to an OpenAI-compatible server, measures every answer, and leaves a run directory with requests.csv, results.json and report.html.',
    "Without --url it starts kvctl's own engine as a process of its own and measures that.",
    'Without --rate a steady load keeps --concurrency requests in flight; with --rate requests leave on schedule, however slow the server is.',
    "Rules of the profile's validation block are judged at the end: PASS or FAIL on stderr, and 5 when one is missed.",
    'Ctrl-C stops sending and keeps what was measured.',
  ].join('\n')
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --url http://localhost:8000 --requests 500 --concurrency 20',
    '<%= config.bin %> <%= command.id %> --url http://localhost:8000 --rate 5 --duration 60s --pattern poisson',
    '<%= config.bin %> <%= command.id %> --dry-run --json',
  ]
  static override enableJsonFlag = true
  static override flags = {
    ...targetFlags,
    ...loadFlags,
    ...requestFlags,
    ...limitFlags,
    ...costFlags,
    profile: Flags.string({
      description: 'what to send: a shipped profile or a YAML file; flags win over it',
      default: 'standard',
      helpValue: 'NAME|FILE',
    }),
    'list-profiles': Flags.boolean({description: 'print the names of the shipped profiles'}),
    'output-dir': Flags.string({
      aliases: ['run-dir'],
      description: 'run directory (default <KVMINI_OUTPUT_DIR or runs>/<time>)',
      helpValue: 'DIR',
    }),
    'dry-run': Flags.boolean({description: 'print the resolved plan; touch no network and no disk'}),
    namespace: Flags.string({description: 'Kubernetes namespace of --service (also KVMINI_NAMESPACE)'}),
    service: Flags.string({description: 'name of the InferenceService behind --url'}),
    'model-uri': Flags.string({description: 'model to deploy first'}),
    'skip-deploy': Flags.boolean({description: 'measure what is deployed already'}),
  }

  async run(): Promise<BenchResult | PlanJson | readonly string[]> {
    const {flags} = await this.parse(Bench)
    const {loadProfile, shippedProfiles} = await import('../lib/profiles/index.js')
    if (flags['list-profiles']) {
      const names = await shippedProfiles()
      this.log(names.join('\n'))
      return names
    }
    const {planBench, resolveBenchOptions, wishesOfProfile} = await import('../lib/bench/index.js')
    const {profile, warnings} = await loadProfile(flags.profile)
    for (const warning of warnings) this.note(`Warning: ${warning}`)
    const plan = planBench(resolveBenchOptions(await readLoadFlags(flags), wishesOfProfile(profile)))
    const pricing = namesHoldings(flags) ? await pricingOfFlags(flags) : null
    if (pricing === null && namesPrices(flags)) {
      this.note('Warning: the run is not priced: --gpu-type or --resources says what the server holds')
    }
    const [url, model] = [flags.url ?? null, flags.model ?? null]
    if (flags['dry-run']) {
      const shown = planJson(plan, url, model)
      this.log(planText(shown))
      return shown
    }
    this.#requireNoCluster(flags)
    const apiKey =
      flags['api-key'] ??
      (process.env['KVCTL_API_KEY'] || process.env['KVMINI_API_KEY'] || process.env['OPENAI_API_KEY'] || null)
    const notes = {
      namespace: flags.namespace ?? (process.env['KVMINI_NAMESPACE'] || 'default'),
      service: flags.service ?? null,
      profile,
      args: [...this.argv],
    }
    const ask = {plan, url, model, apiKey, isInsecure: flags.insecure, notes}
    const outcome = await this.#measure(ask, flags['output-dir'] ?? null)
    return this.#conclude(outcome, pricing)
  }

  async #measure(ask: BenchAsk, outputDir: string | null): Promise<BenchOutcome> {
    const {createProgressMeter, runBench} = await import('../lib/bench/index.js')
    const parts = await benchParts(this.logger, {outputDir, isInsecure: ask.isInsecure})
    const line = createProgressLine(process.stderr)
    const meter = createProgressMeter(ask.plan)
    try {
      const watcher = {
        note: (text: string) => line.note(text),
        progress: (counts: Parameters<typeof meter.line>[0]) =>
          line.show(meter.line(counts, performance.now())),
      }
      return await runBench(ask, parts, watcher, this.signal)
    } finally {
      line.end()
      await parts.close()
    }
  }

  /** Analysis and report follow even when the run was stopped: what was measured is worth reading. */
  async #conclude(
    {run, target, wasStopped, outcomes}: BenchOutcome,
    pricing: Pricing | null,
  ): Promise<BenchResult> {
    const {writePricing} = await import('../lib/runs/index.js')
    const {analyzeRun} = await import('../lib/analysis/index.js')
    const {runVerdict} = await import('../lib/bench/index.js')
    // Stopped before the first answer: there is nothing to analyse.
    if (outcomes.size === 0) this.signal.throwIfAborted()
    if (pricing !== null) await writePricing(run, pricing)
    const {results} = await analyzeRun(run)
    await this.#report(run)
    this.log(runSummary(results))
    for (const {message} of results.warnings) this.note(`Warning: ${message}`)
    if (results.validation) for (const line of validationLines(results.validation)) this.note(line)
    this.note(`Run: ${run.path}`)
    if (wasStopped) this.signal.throwIfAborted()
    const failure = runVerdict(outcomes, target.baseUrl) ?? missedRules(results)
    if (failure !== null) throw failure
    return {...results, run_dir: run.path}
  }

  async #report(run: RunDirectory): Promise<void> {
    const {RUN_FILES} = await import('../lib/runs/index.js')
    const {writeReport} = await import('../lib/report/index.js')
    await writeReport(run, join(run.path, RUN_FILES.report))
  }

  #requireNoCluster(flags: {
    'model-uri': string | undefined
    'skip-deploy': boolean
    service: string | undefined
    url: string | undefined
  }): void {
    const wants =
      flags['model-uri'] !== undefined && !flags['skip-deploy']
        ? 'deploying --model-uri'
        : flags.service !== undefined && flags.url === undefined
          ? `finding the address of --service ${flags.service}`
          : null
    if (wants === null) return
    throw new NetworkError(
      'KUBERNETES_UNAVAILABLE',
      `${wants} needs a Kubernetes cluster, which this kvctl cannot reach`,
      {
        suggestions: ['give the address of a running server with --url, and --skip-deploy'],
      },
    )
  }
}
