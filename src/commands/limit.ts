import {Args, Flags} from '@oclif/core'
import {LimitCommand, limitFlags} from '../cli/limit-command.js'
import {ConfigurationError, parseSize} from '../lib/foundation/index.js'
import type {LimitJson} from '../lib/segments/index.js'

const ANY_INT64 = -(2n ** 63n)

export default class Limit extends LimitCommand {
  static override summary = "set a segment's limit"
  static override description = `Writes the limit that the engine behind the segment obeys, and says what becomes of it: applied (the engine already
holds no more), pending (it has not given memory back yet), written (a higher limit, which nothing in the segment confirms)
or ignored (a value that engines do not act on). What could crash the engine is refused without --force.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> kvcached_vLLM_12345 8G',
    '<%= config.bin %> <%= command.id %> vllm-0 1.5GiB --wait --timeout 30',
    '<%= config.bin %> <%= command.id %> vllm-0 --restore',
  ]
  static override enableJsonFlag = true
  static override args = {
    name: Args.string({
      ignoreStdin: true,
      required: true,
      description: 'the segment, as kvctl list shows it',
    }),
    size: Args.string({
      ignoreStdin: true,
      description: 'bytes, or a number with K, M, G or T (powers of 1024)',
    }),
  }
  static override flags = {
    ...limitFlags,
    restore: Flags.boolean({
      default: false,
      description: 'back to the start-up total, in the form that engines act on',
    }),
  }

  async run(): Promise<LimitJson> {
    const {args, flags} = await this.parse(Limit)
    if ((args.size === undefined) !== flags.restore) {
      throw new ConfigurationError('USAGE', 'give either SIZE or --restore', {
        suggestions: ['kvctl limit --help'],
      })
    }
    const limitBytes = args.size === undefined ? null : parseSize(args.size, ANY_INT64)
    return this.writeLimit(args.name, {limitBytes, isForced: flags.force}, flags)
  }
}
