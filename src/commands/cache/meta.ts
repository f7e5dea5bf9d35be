import {Args} from '@oclif/core'
import {CacheCommand} from '../../cli/cache-command.js'

export default class CacheMeta extends CacheCommand {
  static override summary = 'who the workers are: model, ranks, shape of their KV cache'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> worker_id model_name',
  ]
  static override args = {
    name: Args.string({description: 'attributes (default all)', multiple: true, ignoreStdin: true}),
  }

  async run(): Promise<unknown> {
    const {args, flags} = await this.parse(CacheMeta)
    return this.ask(flags, 'getMeta', {query: {names: args.name === undefined ? [] : [args.name.join(',')]}})
  }
}
