import {Args} from '@oclif/core'
import {CacheCommand} from '../../cli/cache-command.js'
import type {CacheOperation} from '../../lib/tiers/index.js'

const OPERATIONS: Readonly<Record<string, CacheOperation>> = {
  start: 'startStatistics',
  stop: 'stopStatistics',
  reset: 'resetStatistics',
  status: 'statisticsStatus',
}

export default class CacheStatistics extends CacheCommand {
  static override summary = 'count how often the same chunks are asked for'
  static override description = `Says how much a larger cache could save before memory is bought. LMCache counts in its scheduler (port 6999): give that as --url beside the ranks, or alone.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> start',
    '<%= config.bin %> <%= command.id %> status --json',
  ]
  static override args = {
    action: Args.string({description: 'what to do', required: true, options: Object.keys(OPERATIONS)}),
  }

  async run(): Promise<unknown> {
    const {args, flags} = await this.parse(CacheStatistics)
    return this.ask(flags, OPERATIONS[args.action]!)
  }
}
