import {CacheCommand} from '../../cli/cache-command.js'
import {cacheLines} from '../../cli/cache-lines.js'
import type {CacheOperation} from '../../lib/tiers/index.js'

export default class CacheInfo extends CacheCommand {
  static override summary = 'versions of the cache and of the inference engine behind it, model and cache'
  static override examples = ['<%= config.bin %> <%= command.id %>']

  async run(): Promise<unknown> {
    const {flags} = await this.parse(CacheInfo)
    const input = {query: {}, body: '', name: null}
    const info = await this.withWorkers(flags, async workers => {
      const say = async (operation: CacheOperation): Promise<unknown> => {
        const {status, body} = await workers.answer(operation, input)
        return status < 400 ? body : null
      }
      return {
        lmcache_version: await say('lmcVersion'),
        commit_id: await say('commitId'),
        full_version: await say('fullVersion'),
        ...((await say('inferenceVersion')) as object | null),
        inference_info: await say('inferenceInfo'),
      }
    })
    for (const line of cacheLines(info)) this.log(line)
    return info
  }
}
