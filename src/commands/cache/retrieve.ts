import {CacheCommand} from '../../cli/cache-command.js'
import {tokenRangeArgs, tokensMockOf} from '../../cli/token-range.js'

export default class CacheRetrieve extends CacheCommand {
  static override summary = 'load the longest stored prefix of made-up tokens'
  static override description = `Loads into slots 0 to n − 1 of the worker's paged buffer. Of several ranks the least counts: a prefix is of use only where every rank has it.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> 0 1024',
    '<%= config.bin %> <%= command.id %> 0,1024',
  ]
  static override args = tokenRangeArgs

  async run(): Promise<unknown> {
    const {args, flags} = await this.parse(CacheRetrieve)
    return this.ask(flags, 'retrieve', {query: {tokens_mock: [tokensMockOf(args)]}})
  }
}
