import {join, resolve} from 'node:path'
import {Flags} from '@oclif/core'
import {clusterFlags, namespaceOf} from '../cli/cluster-flags.js'
import type {AskedCluster} from '../cli/cluster-service.js'
import {runDirFlag, runDirOf} from '../cli/flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {promUrlFlag, promUrlOf, recordPrometheus} from '../cli/prometheus-flags.js'
import {createReadingLine} from '../cli/reading-line.js'
import {sloFlag, sloOf} from '../cli/slo-flag.js'
import {KvctlError} from '../lib/foundation/index.js'
import type {RunDirectory, RunResults} from '../lib/runs/index.js'

export default class Analyze extends KvctlCommand {
  static override summary = "compute a run's figures from its files"
  static override description = `Reads requests.csv, gaps.bin and timeseries.jsonl of a run directory and writes results.json and analysis.json into it: the same
files give the same bytes. Also reads requests.csv of kserve-vllm-mini. With --json, prints results.json.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --run-dir runs/2026-01-31_14-30-15 --output experiment1-analysis.json',
    '<%= config.bin %> <%= command.id %> --namespace ml-prod --service demo-llm --prom-url http://prometheus:9090',
  ]
  static override enableJsonFlag = true
  static override flags = {
    'run-dir': runDirFlag,
    output: Flags.string({
      char: 'o',
      description: 'the file for the analysis output (default analysis.json in the run directory)',
      helpValue: 'FILE',
    }),
    slo: sloFlag,
    namespace: Flags.string({
      description: "the service's Kubernetes namespace (also KVMINI_NAMESPACE; default default)",
    }),
    service: Flags.string({
      description: 'the service of KServe that was measured: its pods tell cold starts',
    }),
    ...clusterFlags,
    'prom-url': promUrlFlag,
    insecure: Flags.boolean({description: 'take any TLS certificate of --prom-url', dependsOn: ['prom-url']}),
  }

  async run(): Promise<RunResults> {
    const {flags} = await this.parse(Analyze)
    const {openRunDirectory, RUN_FILES} = await import('../lib/runs/index.js')
    const {analyzeRun, EmptyRunError} = await import('../lib/analysis/index.js')
    const reading = createReadingLine()
    const run = await reading.watch(await openRunDirectory(runDirOf(flags['run-dir'])))
    const analysisPath = resolve(flags.output ?? join(run.path, RUN_FILES.analysis))
    const {namespace, service} = flags
    if (service !== undefined) {
      const {context = null, kind = null} = flags
      await this.#askCluster(run, {kind, name: service, namespace: namespaceOf(namespace), context})
    }
    await this.#askPrometheus(run, flags)
    const {results} = await analyzeRun(run, {
      analysisPath,
      namespace,
      service,
      slo: sloOf(flags.slo) ?? undefined,
    }).finally(() => reading.end())
    for (const {message} of results.warnings) this.note(`Warning: ${message}`)
    if (results.requests.total === 0) throw new EmptyRunError(run.path)
    if (results.validation) {
      const {validationLines} = await import('../lib/gate/index.js')
      for (const line of validationLines(results.validation)) this.note(line)
    }
    const {runSummary} = await import('../cli/run-summary.js')
    this.log(`${runSummary(results)}\n\n${join(run.path, RUN_FILES.results)}\n${analysisPath}`)
    return results
  }

  /** Pods of a run that nobody watched: those that are there now tell when they were ready. */
  async #askCluster(run: RunDirectory, asked: AskedCluster): Promise<void> {
    const {readClusterRecord} = await import('../lib/runs/index.js')
    if ((await readClusterRecord(run)) !== null) return
    const {recordPodsOf} = await import('../cli/recorded-pods.js')
    try {
      await recordPodsOf(run, asked, this.signal)
    } catch (error) {
      if (!(error instanceof KvctlError)) throw error
      this.note(`Warning: pods of ${asked.name} are not seen, nor cold starts: ${error.message}`)
    }
  }

  /** What is recorded stays with the run, so that later analyses need no Prometheus; `PROMETHEUS_URL` alone asks once. */
  async #askPrometheus(run: RunDirectory, flags: PrometheusFlags): Promise<void> {
    const {readMeta, readPrometheusWindow} = await import('../lib/runs/index.js')
    const url = promUrlOf(flags['prom-url'])
    if (url === null || (flags['prom-url'] === undefined && (await readPrometheusWindow(run)) !== null))
      return
    const meta = await readMeta(run).catch(() => null)
    const service = flags.service ?? meta?.service ?? null
    const namespace = flags.namespace ?? meta?.namespace ?? 'default'
    const asked = {url, isInsecure: flags.insecure, of: service === null ? null : {namespace, service}}
    for (const line of await recordPrometheus(run, asked, this.signal)) this.note(`Warning: ${line}`)
  }
}

interface PrometheusFlags {
  readonly 'prom-url': string | undefined
  readonly insecure: boolean
  readonly namespace: string | undefined
  readonly service: string | undefined
}
