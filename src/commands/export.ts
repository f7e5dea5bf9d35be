import {mkdir} from 'node:fs/promises'
import {resolve} from 'node:path'
import {Flags} from '@oclif/core'
import {decimalFlag, runDirFlag, runDirOf} from '../cli/flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {createReadingLine} from '../cli/reading-line.js'
import type {RunExport} from '../lib/export/index.js'

interface ExportResult {
  readonly run_id: string
  readonly run_dir: string
  readonly format: string
  readonly files: readonly string[]
}

export default class Export extends KvctlCommand {
  static override summary = "write a run in the shape of vLLM's, GuideLLM's or AIPerf's result files"
  static override description = [
    'Computes the figures from the records of a run with the formulas of the other tool, so that dashboards made for it stay right.',
    'Prints the document, or writes it to --output; --output-dir takes the names that the tool gives its files (for AIPerf also profile_export.jsonl and inputs.json, what was sent).',
    'A run that came from kvctl import has its own keys and digits again.',
  ].join('\n')
  static override examples = [
    '<%= config.bin %> <%= command.id %> --format vllm > result.json',
    '<%= config.bin %> <%= command.id %> --format vllm --detailed --percentile 50 --percentile 99 --output result.json',
    '<%= config.bin %> <%= command.id %> --run-dir runs/2026-01-31_14-30-15 --format aiperf --output-dir artifacts',
    '<%= config.bin %> <%= command.id %> --format bundle --output experiment1.tar.gz',
  ]
  static override enableJsonFlag = true
  static override flags = {
    'run-dir': runDirFlag,
    format: Flags.option({
      options: ['vllm', 'guidellm', 'aiperf', 'bundle'] as const,
      description: 'whose files to write; bundle packs the run with what reproduces it as one tar.gz',
      required: true,
      helpValue: 'TOOL',
    })(),
    output: Flags.string({
      char: 'o',
      description: 'the file to write instead of standard output',
      helpValue: 'FILE',
      exclusive: ['output-dir'],
    }),
    'output-dir': Flags.string({
      description: "the folder to write the tool's files into, under its own names",
      helpValue: 'DIR',
    }),
    detailed: Flags.boolean({description: 'vllm: also one entry a request, as its --save-detailed'}),
    percentile: decimalFlag({
      description: 'vllm: percentiles to give, repeatable (default 99)',
      min: 0,
      max: 100,
      multiple: true,
      multipleNonGreedy: true,
    }),
  }

  async run(): Promise<ExportResult | RunExport['document']> {
    const {flags} = await this.parse(Export)
    const {openRunDirectory, writeFileAtomic} = await import('../lib/runs/index.js')
    const {exportRun} = await import('../lib/export/index.js')
    if (flags.format === 'bundle') return this.#bundle(flags)
    const reading = createReadingLine()
    const run = await reading.watch(await openRunDirectory(runDirOf(flags['run-dir'])))
    const percentiles = flags.percentile ?? [99]
    const {document, text, files, warnings} = await exportRun(run, flags.format, {
      isDetailed: flags.detailed,
      percentiles,
    }).finally(() => reading.end())
    const folder = flags['output-dir']
    // What the other files of the folder lack is no matter of this one.
    if (folder !== undefined || flags.format === 'vllm')
      for (const warning of warnings) this.note(`Warning: ${warning}`)
    if (folder === undefined && flags.output === undefined) {
      this.log(text.trimEnd())
      return document
    }
    if (folder !== undefined) await mkdir(folder, {recursive: true})
    const wanted = folder === undefined ? [{text, name: flags.output!}] : files
    const written = wanted.map(file => ({path: resolve(folder ?? '.', file.name), text: file.text}))
    for (const {path, text: content} of written) {
      await writeFileAtomic(path, content)
      this.log(path)
    }
    return {run_id: run.runId, run_dir: run.path, format: flags.format, files: written.map(({path}) => path)}
  }

  async #bundle(flags: {'run-dir': string | undefined; output: string | undefined}): Promise<ExportResult> {
    const {openRunDirectory} = await import('../lib/runs/index.js')
    const {requireBundlePath, writeBundle} = await import('../lib/bundle/index.js')
    const run = await openRunDirectory(runDirOf(flags['run-dir']))
    const output = flags.output ?? `${run.runId}.tar.gz`
    await requireBundlePath(output)
    const {path, warnings} = await writeBundle(run, output)
    for (const warning of warnings) this.note(`Warning: ${warning}`)
    this.log(path)
    return {run_id: run.runId, run_dir: run.path, format: 'bundle', files: [path]}
  }
}
