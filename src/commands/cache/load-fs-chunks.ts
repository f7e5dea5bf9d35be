import {Args} from '@oclif/core'
import {CacheCommand} from '../../cli/cache-command.js'
import {countFlag} from '../../cli/flags.js'

export default class CacheLoadFsChunks extends CacheCommand {
  static override summary = "load chunk files of an FS connector into the workers' CPU tier"
  static override description = `The path is the worker's: a YAML file of settings whose remote_url is fs://…. kvctl serve reads below its working directory and --allow-path
alone.`
  static override examples = ['<%= config.bin %> <%= command.id %> /etc/lmcache.yaml --max-chunks 100']
  static override args = {
    config: Args.string({
      description: "settings file, by the worker's path",
      required: true,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    'max-chunks': countFlag({description: 'most chunks to load (default all)', min: 1}),
    'max-failed-keys': countFlag({description: 'most failed keys to name', min: 0, default: 10}),
  }

  async run(): Promise<unknown> {
    const {args, flags} = await this.parse(CacheLoadFsChunks)
    return this.ask(flags, 'loadFsChunks', {
      body: {
        config_path: args.config,
        max_chunks: flags['max-chunks'] ?? null,
        max_failed_keys: flags['max-failed-keys'],
      },
    })
  }
}
