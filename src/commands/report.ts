import {join, resolve} from 'node:path'
import {Flags} from '@oclif/core'
import {runDirFlag, runDirOf} from '../cli/flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {createReadingLine} from '../cli/reading-line.js'

interface ReportResult {
  readonly run_id: string
  readonly run_dir: string
  readonly report: string
}

export default class Report extends KvctlCommand {
  static override summary = "write a run's results as one self-contained HTML file"
  static override description =
    'Reads a run directory and writes a page that needs no network and no script: summary, latency distribution, charts over time, failures, what was run, and how each number is defined.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --run-dir runs/2026-01-31_14-30-15 --output report.html',
  ]
  static override enableJsonFlag = true
  static override flags = {
    'run-dir': runDirFlag,
    output: Flags.string({
      char: 'o',
      description: 'the file to write (default report.html in the run directory)',
      helpValue: 'FILE',
    }),
  }

  async run(): Promise<ReportResult> {
    const {flags} = await this.parse(Report)
    const {openRunDirectory, RUN_FILES} = await import('../lib/runs/index.js')
    const {writeReport} = await import('../lib/report/index.js')
    const reading = createReadingLine()
    const run = await reading.watch(await openRunDirectory(runDirOf(flags['run-dir'])))
    const output = resolve(flags.output ?? join(run.path, RUN_FILES.report))
    await writeReport(run, output).finally(() => reading.end())
    this.log(output)
    return {run_id: run.runId, run_dir: run.path, report: output}
  }
}
