import {Args, Flags} from '@oclif/core'
import {LimitCommand, limitFlags} from '../cli/limit-command.js'
import {whileWaiting} from '../cli/waiting-line.js'
import {parseSize, ResourceError} from '../lib/foundation/index.js'
import {explainDriver, findGpu} from '../lib/gpu/index.js'
import {parsePercent, shareOf, type LimitJson} from '../lib/segments/index.js'
import {DRIVER_PATIENCE_MS, gpuSampler} from '../wiring/index.js'

/** kvcached asks CUDA's device 0. */
const FIRST_GPU = '0'

export default class LimitPercent extends LimitCommand {
  static override summary = "set a segment's limit as a share of a GPU's memory"
  static override description =
    'Like limit, with PCT % of all memory of a GPU, or of the memory given by --of.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> kvcached_vLLM_12345 50',
    '<%= config.bin %> <%= command.id %> kvcached_vLLM_12345 50 --gpu 1',
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
    gpu: Flags.string({
      description: 'the GPU or MIG device whose memory is 100 %, as kvctl gpus shows it (default 0)',
      helpValue: 'INDEX|UUID',
    }),
    of: Flags.string({
      description: 'the memory that is 100 %, such as 80G, without asking a GPU',
      helpValue: 'SIZE',
      exclusive: ['gpu'],
    }),
  }

  async run(): Promise<LimitJson> {
    const {args, flags} = await this.parse(LimitPercent)
    const percent = parsePercent(args.percent)
    const wholeBytes =
      flags.of === undefined ? await this.#memoryOfGpu(flags.gpu ?? FIRST_GPU, args) : parseSize(flags.of)
    const limitBytes = shareOf(wholeBytes, percent)
    return this.writeLimit(args.name, {limitBytes, isForced: flags.force}, flags)
  }

  /** @throws ResourceError `NVML_UNAVAILABLE`, `GPU_NOT_FOUND` */
  async #memoryOfGpu(gpu: string, {name, percent}: {name: string; percent: string}): Promise<bigint> {
    const sampler = await gpuSampler()
    try {
      const look = await whileWaiting('Asking the driver', DRIVER_PATIENCE_MS, sampler.look(this.signal))
      const suggestions = [`kvctl limit-percent ${name} ${percent} --of 80G`]
      const trouble = explainDriver(look.driver)
      if (trouble) {
        throw new ResourceError(
          'NVML_UNAVAILABLE',
          `CUDA unavailable; cannot compute size from percentage without --of SIZE: ${trouble.message}`,
          {suggestions: [...suggestions, ...trouble.suggestions], cause: trouble},
        )
      }
      const {memoryTotalBytes, unavailable} = findGpu(look, gpu)
      if (memoryTotalBytes !== null) return BigInt(memoryTotalBytes)
      throw new ResourceError(
        'GPU_MEMORY_UNKNOWN',
        `GPU ${gpu} does not tell its memory (${unavailable['memoryTotalBytes'] ?? 'no_data'})`,
        {suggestions},
      )
    } finally {
      sampler.close()
    }
  }
}
