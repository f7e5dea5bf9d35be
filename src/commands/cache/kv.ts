import {Args, Flags} from '@oclif/core'
import {CacheCommand} from '../../cli/cache-command.js'
import {countFlag} from '../../cli/flags.js'
import {ConfigurationError} from '../../lib/foundation/index.js'

export default class CacheKv extends CacheCommand {
  static override summary = "checksums and layers of the workers' paged KV buffer, and the log of slots"
  static override description = `check: MD5 of the KV at --slots, for every --chunk-size of them; store, clear and retrieve must leave it the same.
info: layers with shape, dtype and device. record-slot: switches the log of slots --on or --off, or asks.`
  static override examples = [
    "<%= config.bin %> <%= command.id %> check --slots '[0,1023]' --chunk-size 256",
    "<%= config.bin %> <%= command.id %> check --slots '1,2,3,[9,12]' --chunk-size 4 --layerwise --json",
    '<%= config.bin %> <%= command.id %> info',
    '<%= config.bin %> <%= command.id %> record-slot --on',
  ]
  static override args = {
    action: Args.string({
      description: 'what to do',
      required: true,
      options: ['check', 'info', 'record-slot'],
    }),
  }
  static override flags = {
    slots: Flags.string({description: 'check: slots, such as 1,2,3,[9,12]', helpValue: 'SLOTS'}),
    'chunk-size': countFlag({description: 'check: slots a checksum', min: 1, default: 256}),
    layerwise: Flags.boolean({description: 'check: a checksum for each layer', default: false}),
    on: Flags.boolean({description: 'record-slot: log slots', exclusive: ['off']}),
    off: Flags.boolean({description: 'record-slot: log them no more'}),
  }

  async run(): Promise<unknown> {
    const {args, flags} = await this.parse(CacheKv)
    if (args.action === 'info') return this.ask(flags, 'kvInfo')
    if (args.action === 'record-slot') {
      const enabled = flags.on ? ['true'] : flags.off ? ['false'] : []
      return this.ask(flags, 'recordSlot', {query: {enabled}})
    }
    if (flags.slots === undefined)
      throw new ConfigurationError('USAGE', 'check needs --slots, such as [0,1023]')
    return this.ask(flags, 'check', {
      query: {
        slot_mapping: [flags.slots],
        chunk_size: [String(flags['chunk-size'])],
        layerwise: [String(flags.layerwise)],
      },
    })
  }
}
