import {Args, Flags} from '@oclif/core'
import {SegmentCommand} from '../cli/segment-command.js'
import {removeSegment} from '../lib/segments/index.js'

export default class Delete extends SegmentCommand {
  static override summary = 'remove the segment of an engine that is gone'
  static override description = `Looks for a living engine first (1.2 s) and refuses to remove its segment without --force: the engine would make a new one
without a limit, which no tool lists. Removes nothing but segments.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> kvcached_vLLM_12345',
    '<%= config.bin %> <%= command.id %> vllm-0 --force',
  ]
  static override enableJsonFlag = true
  static override args = {
    name: Args.string({
      ignoreStdin: true,
      required: true,
      description: 'the segment, as kvctl list shows it',
    }),
  }
  static override flags = {
    force: Flags.boolean({default: false, description: 'also remove it from a living engine'}),
  }

  async run(): Promise<{ipc: string; deleted: true}> {
    const {args, flags} = await this.parse(Delete)
    const store = await this.segments()
    const name = await removeSegment(store, args.name, {isForced: flags.force, signal: this.signal})
    this.log(`Deleted IPC '${name}'.`)
    return {ipc: name, deleted: true}
  }
}
