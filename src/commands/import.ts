import {join} from 'node:path'
import {Args, Flags} from '@oclif/core'
import {KvctlCommand} from '../cli/kvctl-command.js'

interface ImportResult {
  readonly runs: readonly {
    readonly run_id: string
    readonly run_dir: string
    readonly requests: number
    /** False where the file has totals alone. */
    readonly has_requests: boolean
  }[]
}

export default class Import extends KvctlCommand {
  static override summary = 'make run directories of results of vllm bench serve'
  static override description = [
    'Reads a file of vllm bench serve --save-result, or of --append-result with one result a line, and makes a run of each, which analyze, gate, report and compare then read.',
    'With --save-detailed the records are there; without it only the totals are, and gate alone can use them.',
    'kvctl export --format vllm gives the file back.',
  ].join('\n')
  static override examples = [
    '<%= config.bin %> <%= command.id %> openai-chat-infqps-concurrency8-Llama-3-20260131-143015.json',
    '<%= config.bin %> <%= command.id %> result.json --output-dir runs/from-vllm --json',
  ]
  static override enableJsonFlag = true
  static override args = {
    file: Args.string({description: 'the result to read', required: true}),
  }
  static override flags = {
    'output-dir': Flags.string({
      description: 'the run directory to make (default: one below runs, or below KVMINI_OUTPUT_DIR)',
      helpValue: 'DIR',
      aliases: ['run-dir'],
    }),
  }

  async run(): Promise<ImportResult> {
    const {args, flags} = await this.parse(Import)
    const {claimRunDirectory, createRunDirectory} = await import('../lib/runs/index.js')
    const {importVllm, readVllmFile} = await import('../lib/export/index.js')
    const found = await readVllmFile(args.file)
    const folder = flags['output-dir']
    const runs: ImportResult['runs'][number][] = []
    for (const [index, result] of found.entries()) {
      const path = folder === undefined || found.length === 1 ? folder : join(folder, String(index + 1))
      const run = await (path === undefined
        ? createRunDirectory(process.env['KVMINI_OUTPUT_DIR'] || 'runs', new Date())
        : claimRunDirectory(path))
      const {results, hasRequests} = await importVllm(run, result, args.file)
      if (!hasRequests) this.note(`Warning: ${args.file} has no single requests; only its totals were taken`)
      this.log(run.path)
      runs.push({
        run_id: run.runId,
        run_dir: run.path,
        requests: results.requests.total,
        has_requests: hasRequests,
      })
    }
    return {runs}
  }
}
