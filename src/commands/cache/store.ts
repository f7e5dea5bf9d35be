import {CacheCommand} from '../../cli/cache-command.js'
import {tokenRangeArgs, tokensMockOf} from '../../cli/token-range.js'

export default class CacheStore extends CacheCommand {
  static override summary = "store the KV of made-up tokens, to try a worker's tiers"
  static override description = `Takes the KV in slots 0 to n − 1 of the worker's paged buffer as that of tokens START to END − 1. Says how many tokens were asked for and, where the worker\ntells, how many are stored.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> 0 1024',
    '<%= config.bin %> <%= command.id %> 0,1024',
  ]
  static override args = tokenRangeArgs

  async run(): Promise<unknown> {
    const {args, flags} = await this.parse(CacheStore)
    return this.ask(flags, 'store', {query: {tokens_mock: [tokensMockOf(args)]}})
  }
}
