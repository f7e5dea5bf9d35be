import {createInterface} from 'node:readline/promises'
import {Flags} from '@oclif/core'
import {CacheCommand} from '../../cli/cache-command.js'
import {InterruptedError} from '../../lib/foundation/index.js'

export default class CacheClear extends CacheCommand {
  static override summary = 'remove cached KV from every tier of the workers, or from those named'
  static override description =
    'Says how many tokens were removed. On a terminal it asks first, unless --yes. Chunks that are pinned or in use stay.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> --yes',
    '<%= config.bin %> <%= command.id %> --location LocalCPUBackend',
    '<%= config.bin %> <%= command.id %> --url http://rank0:7000 --url http://rank1:7001 --json',
  ]
  static override flags = {
    location: Flags.string({
      description: 'tier to clear, such as LocalCPUBackend; may be repeated (default all)',
      helpValue: 'TIER',
      multiple: true,
      multipleNonGreedy: true,
    }),
    yes: Flags.boolean({char: 'y', description: 'do not ask'}),
  }

  async run(): Promise<unknown> {
    const {flags} = await this.parse(CacheClear)
    const what = flags.location?.join(' and ') ?? 'every tier'
    if (!flags.yes && !this.jsonEnabled() && process.stdin.isTTY && !(await this.#isConfirmed(what))) {
      this.logToStderr('Nothing was cleared.')
      return undefined
    }
    return this.ask(flags, 'clear', {query: {...(flags.location && {locations: flags.location})}})
  }

  async #isConfirmed(what: string): Promise<boolean> {
    const prompt = createInterface({input: process.stdin, output: process.stderr})
    const interrupt = new AbortController()
    // The terminal is in raw mode while it is asked, so that Ctrl-C is a key.
    prompt.once('SIGINT', () => interrupt.abort())
    const signal = AbortSignal.any([this.signal, interrupt.signal])
    try {
      return /^y(es)?$/i.test((await prompt.question(`Clear ${what}? [y/N] `, {signal})).trim())
    } catch (error) {
      if (!signal.aborted) return false // Ctrl-D
      throw interrupt.signal.aborted ? new InterruptedError('SIGINT') : error
    } finally {
      prompt.close()
    }
  }
}
