import {Args} from '@oclif/core'
import {CacheCommand} from '../../cli/cache-command.js'
import type {CacheOperation} from '../../lib/tiers/index.js'

const OPERATIONS: Readonly<Record<string, CacheOperation>> = {
  enable: 'enableFreeze',
  disable: 'disableFreeze',
  status: 'freezeStatus',
}

export default class CacheFreeze extends CacheCommand {
  static override summary = 'freeze the cache: nothing is stored, and the CPU tier alone is read'
  static override description = `Protects a warm CPU tier from change. Clearing stays possible.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> enable',
    '<%= config.bin %> <%= command.id %> status --json',
  ]
  static override args = {
    action: Args.string({description: 'what to do', required: true, options: Object.keys(OPERATIONS)}),
  }

  async run(): Promise<unknown> {
    const {args, flags} = await this.parse(CacheFreeze)
    return this.ask(flags, OPERATIONS[args.action]!)
  }
}
