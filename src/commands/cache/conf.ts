import {Args} from '@oclif/core'
import {CacheCommand} from '../../cli/cache-command.js'
import {ConfigurationError} from '../../lib/foundation/index.js'

export default class CacheConf extends CacheCommand {
  static override summary = "show or change the workers' settings"
  static override description = `get: all settings, or those named. set: KEY=VALUE pairs; a value is JSON where it can be read as such, else a text. Good keys count although others are
refused, and any refusal makes the exit status 2.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> get',
    '<%= config.bin %> <%= command.id %> get min_retrieve_tokens save_decode_cache',
    '<%= config.bin %> <%= command.id %> set min_retrieve_tokens=512 save_decode_cache=true',
  ]
  static override args = {
    action: Args.string({description: 'what to do', required: true, options: ['get', 'set']}),
    setting: Args.string({description: 'names, or KEY=VALUE pairs', multiple: true, ignoreStdin: true}),
  }

  async run(): Promise<unknown> {
    const {args, flags} = await this.parse(CacheConf)
    const settings = args.setting ?? []
    if (args.action === 'get')
      return this.ask(flags, 'getConf', {query: {names: settings.length === 0 ? [] : [settings.join(',')]}})
    if (settings.length === 0) throw new ConfigurationError('USAGE', 'set takes KEY=VALUE pairs')
    return this.ask(flags, 'setConf', {body: Object.fromEntries(settings.map(pairIn))})
  }
}

function pairIn(text: string): [key: string, value: unknown] {
  const at = text.indexOf('=')
  if (at <= 0) throw new ConfigurationError('USAGE', `set takes KEY=VALUE pairs, not '${text}'`)
  const value = text.slice(at + 1)
  try {
    return [text.slice(0, at), JSON.parse(value)]
  } catch {
    // Not JSON: a text.
    return [text.slice(0, at), value]
  }
}
