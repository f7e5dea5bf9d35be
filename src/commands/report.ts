import {existsSync} from 'node:fs'
import {join, resolve} from 'node:path'
import {Flags} from '@oclif/core'
import {runDirFlag, runDirOf} from '../cli/flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {openRuns} from '../cli/open-runs.js'
import {createReadingLine} from '../cli/reading-line.js'
import {ConfigurationError} from '../lib/foundation/index.js'

interface ReportResult {
  readonly run_id: string
  readonly run_dir: string
  readonly report: string
}

export default class Report extends KvctlCommand {
  static override summary = "write a run's results as one self-contained file: HTML, Markdown, CSV or JSON"
  static override description = [
    'Reads a run directory and writes a page that needs no network and no script: summary, latency distribution, charts over time, failures, what was run, and how each number is defined.',
    'The folder of a kvctl sweep gives the page of the sweep; with --baseline it is a comparison with other runs; several runs of a side are joined by commas.',
    '--template takes detailed (the default), summary, or an HTML file with {{keys.of.results}}, {{#if key}}, {{#each key}} and the drawings {{{charts.latency}}}, ttft, timeline, cost, energy, figures and style.',
  ].join('\n')
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --run-dir runs/2026-01-31_14-30-15 --output report.html',
    '<%= config.bin %> <%= command.id %> --template summary',
    '<%= config.bin %> <%= command.id %> --format md --output report.md',
    '<%= config.bin %> <%= command.id %> --run-dir runs/after --baseline runs/before --output comparison.html',
    '<%= config.bin %> <%= command.id %> --run-dir runs/b1,runs/b2 --baseline runs/a1,runs/a2 --output comparison.html',
  ]
  static override enableJsonFlag = true
  static override flags = {
    'run-dir': runDirFlag,
    baseline: Flags.string({
      description: 'compare with this run directory, or with several joined by commas',
      helpValue: 'DIR',
    }),
    output: Flags.string({
      char: 'o',
      description: 'the file to write (default report.html, .md, .csv or .json in the run directory)',
      helpValue: 'FILE',
    }),
    template: Flags.string({description: 'detailed, summary, or an HTML file', helpValue: 'NAME|FILE'}),
    format: Flags.option({
      options: ['html', 'md', 'csv', 'json'] as const,
      description: 'what to write',
      default: 'html' as const,
    })(),
  }

  async run(): Promise<ReportResult> {
    const {flags} = await this.parse(Report)
    const {format, template, baseline} = flags
    if (template !== undefined && (format !== 'html' || baseline !== undefined)) {
      throw new ConfigurationError('USAGE', '--template is for the HTML page of one run')
    }
    if (baseline !== undefined && format !== 'html') {
      throw new ConfigurationError('USAGE', `a comparison is written as HTML, not as ${format}`)
    }
    const {openRunDirectory} = await import('../lib/runs/index.js')
    const {writeComparisonReport, writeReport, writeSweepReport} = await import('../lib/report/index.js')
    const reading = createReadingLine()
    const names = runDirOf(flags['run-dir'])
    const runs =
      baseline === undefined
        ? [await reading.watch(await openRunDirectory(names))]
        : await openRuns(names, reading)
    const run = runs[0]!
    const isSweep = existsSync(join(run.path, 'sweep.json'))
    const name = baseline !== undefined ? 'comparison' : 'report'
    const output = resolve(flags.output ?? join(run.path, `${name}.${format}`))
    try {
      if (baseline !== undefined) {
        await writeComparisonReport(await openRuns(baseline, reading), runs, output)
      } else if (isSweep) {
        if (format === 'md')
          throw new ConfigurationError('USAGE', 'a sweep is written as html, csv or json, not as md')
        await writeSweepReport(run.path, output, format)
      } else await writeReport(run, output, {format, template: template ?? null})
    } finally {
      reading.end()
    }
    this.log(output)
    return {run_id: run.runId, run_dir: run.path, report: output}
  }
}
