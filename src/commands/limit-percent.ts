import {Args, Flags} from '@oclif/core'
import {LimitCommand, limitFlags} from '../cli/limit-command.js'
import {parseSize, ResourceError} from '../lib/foundation/index.js'
import {parsePercent, shareOf, type LimitJson} from '../lib/segments/index.js'

export default class LimitPercent extends LimitCommand {
  static override summary = "set a segment's limit as a share of a GPU's memory"
  static override description = 'Like limit, with PCT % of the memory given by --of.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> kvcached_vLLM_12345 50 --of 80G',
    '<%= config.bin %> <%= command.id %> vllm-0 12.5% --of 24GiB --wait',
  ]
  static override enableJsonFlag = true
  static override args = {
    name: Args.string({
      ignoreStdin: true,
      required: true,
      description: 'the segment, as kvctl list shows it',
    }),
    percent: Args.string({ignoreStdin: true, required: true, description: 'above 0, at most 100'}),
  }
  static override flags = {
    ...limitFlags,
    of: Flags.string({description: 'the memory that is 100 %, such as 80G', helpValue: 'SIZE'}),
  }

  async run(): Promise<LimitJson> {
    const {args, flags} = await this.parse(LimitPercent)
    const percent = parsePercent(args.percent)
    if (flags.of === undefined) {
      throw new ResourceError(
        'NVML_UNAVAILABLE',
        'CUDA unavailable; cannot compute size from percentage without --of SIZE',
        {
          suggestions: [`kvctl limit-percent ${args.name} ${args.percent} --of 80G`],
        },
      )
    }
    const limitBytes = shareOf(parseSize(flags.of), percent)
    return this.writeLimit(args.name, {limitBytes, isForced: flags.force}, flags)
  }
}
