import {Args} from '@oclif/core'
import {CacheCommand} from '../../cli/cache-command.js'

export default class CacheRetrieve extends CacheCommand {
  static override summary = 'load the longest stored prefix of made-up tokens'
  static override description = `Loads into slots 0 to n − 1 of the worker's paged buffer. Of several ranks the least counts: a prefix is of use only where every rank has it.`
  static override examples = ['<%= config.bin %> <%= command.id %> 0 1024']
  static override args = {
    start: Args.integer({description: 'first token', required: true}),
    end: Args.integer({description: 'one behind the last token', required: true}),
  }

  async run(): Promise<unknown> {
    const {args, flags} = await this.parse(CacheRetrieve)
    return this.ask(flags, 'retrieve', {query: {tokens_mock: [`${args.start},${args.end}`]}})
  }
}
