import {Args} from '@oclif/core'
import {CacheCommand} from '../../cli/cache-command.js'
import {ConfigurationError} from '../../lib/foundation/index.js'

export default class CacheBypass extends CacheCommand {
  static override summary = 'leave a tier out of store, lookup and retrieve, or take it in again'
  static override description =
    'For a tier that misbehaves, or to try what its loss means. Clearing reaches it all the same.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> list',
    '<%= config.bin %> <%= command.id %> add RemoteBackend',
    '<%= config.bin %> <%= command.id %> remove RemoteBackend',
  ]
  static override args = {
    action: Args.string({description: 'what to do', required: true, options: ['list', 'add', 'remove']}),
    tier: Args.string({description: 'a tier, as list shows it', ignoreStdin: true}),
  }

  async run(): Promise<unknown> {
    const {args, flags} = await this.parse(CacheBypass)
    if (args.action === 'list') return this.ask(flags, 'listBypassed')
    if (args.tier === undefined)
      throw new ConfigurationError('USAGE', `${args.action} takes a tier, as list shows it`)
    const operation = args.action === 'add' ? 'addBypass' : 'removeBypass'
    return this.ask(flags, operation, {query: {backend_name: [args.tier]}})
  }
}
