import {appendFile} from 'node:fs/promises'
import {join} from 'node:path'
import {Flags} from '@oclif/core'
import {runDirFlag, runDirOf} from '../cli/flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {missedObjectives, sloLines} from '../cli/slo-verdict.js'
import {errorDocument, ResourceError, type ErrorDocument} from '../lib/foundation/index.js'
import type {GatedRun, GateJson, GateVerdict, Objective} from '../lib/gate/index.js'

export default class Gate extends KvctlCommand {
  static override summary = 'hold a run against objectives: PASS, FAIL or INCONCLUSIVE'
  static override description = `Reads results.json of a run and objectives from a YAML or JSON file, from --objective, or from both. Where a figure has a 95 %
interval all of it must be within the limit to pass, and all of it beyond to fail; what lies between is INCONCLUSIVE. A
figure that the run does not have fails. Where requests had a schedule, TTFT and E2E count from it, unless the objective ends in
"on service". A time or rate of a run that was limited by its client is INCONCLUSIVE. Leaves with 5 unless everything passed; --allow-inconclusive lets what is
undecided through. The file may also be a slo.json of kserve-vllm-mini (p95_ms, error_rate, $per_1k_tokens …).

On GitHub the verdict goes into the step summary and the output "verdict", and each miss is marked as an error.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --slo slo.yaml',
    "<%= config.bin %> <%= command.id %> --objective 'p95(ttft) <= 500ms' --objective 'error_rate < 0.5%'",
    '<%= config.bin %> <%= command.id %> --run-dir runs/latest --slo slo.json --junit slo.xml --json',
  ]
  static override enableJsonFlag = true
  static override flags = {
    'run-dir': runDirFlag,
    results: Flags.string({
      description: 'the results.json to read, instead of the one of a run directory',
      exclusive: ['run-dir'],
      helpValue: 'FILE',
    }),
    slo: Flags.string({
      description: 'file of objectives (default: those of bench --slo, else slo.json; none with --objective)',
      helpValue: 'FILE',
    }),
    objective: Flags.string({
      description: "one objective, such as 'p95(ttft) <= 500ms'; may be repeated",
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'TEXT',
    }),
    'allow-inconclusive': Flags.boolean({
      description: 'leave with 0 when nothing fails but something is undecided',
    }),
    'allow-missing': Flags.boolean({description: 'skip an objective whose figure the run does not have'}),
    junit: Flags.string({description: 'also write the verdict as JUnit XML', helpValue: 'FILE'}),
    'open-metrics': Flags.string({
      description: 'also write values and limits as OpenMetrics text, for GitLab',
      helpValue: 'FILE',
    }),
  }

  async run(): Promise<GateJson & Partial<ErrorDocument>> {
    const {flags} = await this.parse(Gate)
    const {gateJson, judgeRun, readGatedResults} = await import('../lib/gate/index.js')
    const named = await namedObjectives(flags.slo, flags.objective ?? [])
    const folder = flags.results === undefined ? await this.#runFolder(flags['run-dir']) : null
    const objectives = named ?? (await unnamedObjectives(folder))
    const path = flags.results ?? join(folder!, 'results.json')
    const results = await readGatedResults(path)
    const verdict = judgeRun(results, objectives, {allowsMissing: flags['allow-missing']})
    const run = {runId: results.run_id ?? null, path}
    for (const line of sloLines(verdict)) this.log(line)
    this.log(`\n${verdict.verdict}  ${path}`)
    await writePages(verdict, run, flags.junit, flags['open-metrics'])
    await this.#tellGitHub(verdict, run)
    const failure = missedObjectives(verdict, flags['allow-inconclusive'])
    if (failure === null) return gateJson(verdict, run)
    if (!this.jsonEnabled()) throw failure
    process.exitCode = failure.exitCode
    return {...gateJson(verdict, run), error: errorDocument(failure).error}
  }

  async #runFolder(flag: string | undefined): Promise<string> {
    const {openRunDirectory} = await import('../lib/runs/index.js')
    return (await openRunDirectory(runDirOf(flag))).path
  }

  async #tellGitHub(verdict: GateVerdict, run: GatedRun): Promise<void> {
    const {gateMarkdown, githubErrors} = await import('../lib/gate/index.js')
    const [summary, output] = [process.env['GITHUB_STEP_SUMMARY'], process.env['GITHUB_OUTPUT']]
    if (summary) await appendFile(summary, gateMarkdown(verdict, run))
    if (output) await appendFile(output, `verdict=${verdict.verdict}\n`)
    if (process.env['GITHUB_ACTIONS'] !== 'true') return
    for (const line of githubErrors(verdict)) this.note(line)
  }
}

/** Null when the command line names none. */
async function namedObjectives(
  file: string | undefined,
  texts: readonly string[],
): Promise<readonly Objective[] | null> {
  const {parseObjective, readSloFile} = await import('../lib/gate/index.js')
  const fromFlags = texts.map(parseObjective)
  if (file === undefined) return fromFlags.length === 0 ? null : fromFlags
  return [...(await readSloFile(file)), ...fromFlags]
}

/** Those that the run was measured for, else slo.json. */
async function unnamedObjectives(folder: string | null): Promise<readonly Objective[]> {
  const {parseObjective, readSloFile} = await import('../lib/gate/index.js')
  const own = folder === null ? [] : await ownObjectives(folder)
  return own.length > 0 ? own.map(parseObjective) : readSloFile('slo.json')
}

/** Other tools' runs have none. */
async function ownObjectives(folder: string): Promise<readonly string[]> {
  const {openRunDirectory, readMeta} = await import('../lib/runs/index.js')
  try {
    return (await readMeta(await openRunDirectory(folder))).objectives
  } catch (error) {
    if (error instanceof ResourceError) return []
    throw error
  }
}

async function writePages(
  verdict: GateVerdict,
  run: GatedRun,
  junit: string | undefined,
  openMetrics: string | undefined,
): Promise<void> {
  const {gateOpenMetrics, junitXml} = await import('../lib/gate/index.js')
  const {writeFileAtomic} = await import('../lib/runs/index.js')
  if (junit !== undefined) await writeFileAtomic(junit, junitXml(verdict, run))
  if (openMetrics !== undefined) await writeFileAtomic(openMetrics, gateOpenMetrics(verdict))
}
