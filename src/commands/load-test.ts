import {apiKeyOf} from '../cli/api-key.js'
import {LoadCommand} from '../cli/load-command.js'
import {planText} from '../cli/plan-summary.js'
import type {PlanJson} from '../lib/bench/index.js'

/** What a load left behind. */
interface LoadTestJson {
  readonly run_dir: string
  readonly run_id: string
  readonly requests: {readonly total: number; readonly success: number}
  /** How many measured requests ended in each way. */
  readonly outcomes: Readonly<Record<string, number>>
}

const {url, model, prompt, insecure} = LoadCommand.runFlags

/** @see Siryoos/kserve-vllm-mini:load-test.sh — the name and the variables */
export default class LoadTest extends LoadCommand {
  static override summary = 'send a load and write down what came back'
  static override description = [
    'Sends the same requests as kvctl bench and writes requests.csv, gaps.bin, timeseries.jsonl and meta.json, but computes and reports nothing: kvctl analyze and kvctl report do that from the run directory, whenever they like.',
    'The variables URL, MODEL, PROMPT, API_KEY and INSECURE stand in for the flags of these names.',
  ].join('\n')
  static override examples = [
    '<%= config.bin %> <%= command.id %> --url http://localhost:8000 --requests 500 --concurrency 20',
    'URL=http://localhost:8000 MODEL=demo <%= config.bin %> <%= command.id %> --rate 5 --duration 60s',
    '<%= config.bin %> <%= command.id %> --resume --run-dir runs/latest',
  ]
  static override enableJsonFlag = true
  static override flags: typeof LoadCommand.runFlags = {
    ...LoadCommand.runFlags,
    url: {...url, env: 'URL'},
    model: {...model, env: 'MODEL'},
    prompt: {...prompt, env: 'PROMPT'},
    insecure: {...insecure, env: 'INSECURE'},
  }

  async run(): Promise<LoadTestJson | PlanJson> {
    const parsed = await this.parse(LoadTest)
    const {flags} = parsed
    const apiKey = apiKeyOf(flags['api-key'], [
      'API_KEY',
      'KVCTL_API_KEY',
      'KVMINI_API_KEY',
      'OPENAI_API_KEY',
    ])
    const ask = await this.ask(parsed, {}, apiKey)
    if (flags['dry-run']) {
      const {planJson} = await import('../lib/bench/index.js')
      const shown = planJson(ask)
      this.log(planText(shown))
      return shown
    }
    const outcome = await this.measure(ask, flags['output-dir'] ?? null, flags.plain)
    this.tellStop(outcome)
    const {run, outcomes} = outcome
    const total = [...outcomes.values()].reduce((sum, count) => sum + count, 0)
    const success = outcomes.get('ok') ?? 0
    const failed = [...outcomes]
      .filter(([name]) => name !== 'ok')
      .map(([name, count]) => `, ${count} ${name}`)
    this.log(`Run ${run.runId}: ${success} of ${total} requests succeeded${failed.join('')}`)
    this.note(`Run: ${run.path}`)
    if (outcome.wasStopped) this.signal.throwIfAborted()
    const {runVerdict} = await import('../lib/bench/index.js')
    const failure = runVerdict(outcomes, outcome.url)
    if (failure !== null) throw failure
    this.note(`Next: kvctl analyze --run-dir ${run.path}, then kvctl report --run-dir ${run.path}`)
    return {
      run_dir: run.path,
      run_id: run.runId,
      requests: {total, success},
      outcomes: Object.fromEntries(outcomes),
    }
  }
}
