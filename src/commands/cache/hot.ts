import {Args} from '@oclif/core'
import {CacheCommand} from '../../cli/cache-command.js'
import type {CacheOperation} from '../../lib/tiers/index.js'

const OPERATIONS: Readonly<Record<string, CacheOperation>> = {
  enable: 'enableHotCache',
  disable: 'disableHotCache',
  status: 'hotCacheStatus',
}

export default class CacheHot extends CacheCommand {
  static override summary = 'switch the hot cache, which keeps chunks in CPU memory'
  static override description = `Disabling clears the CPU tier; what is pinned stays until it is released.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> disable',
    '<%= config.bin %> <%= command.id %> status --json',
  ]
  static override args = {
    action: Args.string({description: 'what to do', required: true, options: Object.keys(OPERATIONS)}),
  }

  async run(): Promise<unknown> {
    const {args, flags} = await this.parse(CacheHot)
    return this.ask(flags, OPERATIONS[args.action]!)
  }
}
