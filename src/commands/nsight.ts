import {Args, Flags} from '@oclif/core'
import {countFlag, durationFlag} from '../cli/flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {nsightSummary} from '../cli/nsight-summary.js'
import {ConfigurationError, EXIT, ResourceError} from '../lib/foundation/index.js'
import {
  BASE_METRICS,
  findExecutable,
  findNcu,
  nsightJson,
  runNsight,
  type NsightJson,
} from '../lib/nsight/index.js'

const metricsFlag = Flags.custom<string[]>({
  parse: async text => {
    const names = text.split(',').map(name => name.trim())
    const odd = names.find(name => !/^[a-z]\w*(\.\w+)*$/.test(name))
    if (odd === undefined) return names
    throw new ConfigurationError('USAGE', `--metrics takes names of Nsight Compute's metrics, not '${odd}'`, {
      suggestions: ['ncu --query-metrics'],
    })
  },
  helpValue: 'NAME[,NAME…]',
})

export default class Nsight extends KvctlCommand {
  static override summary =
    'run a command under Nsight Compute: atomics, occupancy, blocks, memory throughput'
  static override description =
    "Starts the command itself, with its children, under NVIDIA's ncu: a program that runs already cannot be profiled. Each profiled kernel is run several times, so the command becomes many times slower and its latencies mean nothing. Figures are added up by process: sums for counts and bytes, the mean over time for occupancy, threads per block of the longest kernel. The command's own output goes to stdout, under --json to stderr. Without ncu, or when it profiles nothing, the exit status is 4."
  static override examples = [
    '<%= config.bin %> <%= command.id %> -- python3 bench_kernel.py --batch 8',
    '<%= config.bin %> <%= command.id %> --launch-skip 100 --launch-count 20 --kernel-name paged_attention -- python3 decode.py',
    "<%= config.bin %> <%= command.id %> --json --metrics lts__t_sectors_op_atom.sum -- ./app | jq '.processes[].occupancy'",
  ]
  static override enableJsonFlag = true
  static override strict = false
  static override args = {
    command: Args.string({required: true, description: 'the command and its arguments, after --'}),
  }
  static override flags = {
    'launch-count': countFlag({description: 'kernels to profile', default: 50, min: 1}),
    'launch-skip': countFlag({description: 'kernels to let pass before', default: 0, min: 0}),
    'kernel-name': Flags.string({
      description: 'profile kernels whose name matches this regular expression',
      helpValue: 'REGEX',
    }),
    metrics: metricsFlag({description: 'further metrics of Nsight Compute, shown as sums'}),
    timeout: durationFlag({
      description: 'end the command, and all that it started, after this long',
      default: 300_000,
      defaultHelp: async () => '5m',
    }),
  }

  async run(): Promise<NsightJson> {
    const {flags, argv} = await this.parse(Nsight)
    const command = argv as string[]
    const ncu = await findNcu(process.env)
    if (ncu === null) {
      throw new ResourceError(
        'NSIGHT_NOT_FOUND',
        'ncu, the command line of Nsight Compute, is not installed here',
        {
          suggestions: [
            'it comes with the CUDA toolkit (apt install nsight-compute), or from https://developer.nvidia.com/nsight-compute',
            'put the folder of ncu on the PATH',
          ],
        },
      )
    }
    if ((await findExecutable(command[0]!, process.env)) === null)
      throw new ResourceError('COMMAND_NOT_FOUND', `there is no program '${command[0]}' to profile`)
    this.note('Under a profiler: every kernel is run several times, and latencies mean nothing.')
    const report = await runNsight({
      ncu,
      command,
      metrics: [...new Set([...BASE_METRICS, ...(flags.metrics ?? [])])],
      launchCount: flags['launch-count'],
      launchSkip: flags['launch-skip'],
      kernelName: flags['kernel-name'] ?? null,
      timeoutMs: flags.timeout,
      stdout: this.jsonEnabled() ? process.stderr : process.stdout,
      stderr: process.stderr,
      signal: this.signal,
    })
    const document = nsightJson(report)
    for (const warning of document.warnings) this.note(`Warning: ${warning}`)
    this.log(nsightSummary(document))
    if (document.ended !== 0) process.exitCode = EXIT.general
    return document
  }
}
