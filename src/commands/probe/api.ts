import {Flags} from '@oclif/core'
import {alignColumns} from '../../cli/align-columns.js'
import {durationFlag, urlFlag} from '../../cli/flags.js'
import {KvctlCommand} from '../../cli/kvctl-command.js'
import {apiKeyOf} from '../../cli/api-key.js'
import {whileCounting} from '../../cli/waiting-line.js'

interface ProbeJson {
  readonly url: string
  readonly model: string
  readonly capabilities: readonly {
    readonly name: string
    /** Null when the answer does not tell. */
    readonly supported: boolean | null
    readonly detail: string
  }[]
}

export default class ProbeApi extends KvctlCommand {
  static override summary = 'tell what of the OpenAI API a server has'
  static override description =
    'Sends one small request for each: chat, completions, usage, streaming, usage in streams, JSON mode, JSON schemas, tools (forced, chosen, parallel), logprobs, several choices, seed, stop.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> --url http://localhost:8000',
    '<%= config.bin %> <%= command.id %> --url http://localhost:8000 --model demo --json',
  ]
  static override enableJsonFlag = true
  static override flags = {
    url: urlFlag({description: 'the server to ask', required: true}),
    model: Flags.string({description: 'the model to ask for (default: the first that the server lists)'}),
    'api-key': Flags.string({
      description: 'bearer token (also KVCTL_API_KEY, KVMINI_API_KEY, OPENAI_API_KEY)',
    }),
    timeout: durationFlag({description: 'limit of one request', default: 60_000}),
    insecure: Flags.boolean({description: 'accept any TLS certificate'}),
  }

  async run(): Promise<ProbeJson> {
    const {flags} = await this.parse(ProbeApi)
    const apiKey = apiKeyOf(flags['api-key'], ['KVCTL_API_KEY', 'KVMINI_API_KEY', 'OPENAI_API_KEY'])
    const {createHttpClient} = await import('../../lib/http/index.js')
    const {bearer, findTarget} = await import('../../lib/inference/index.js')
    const {API_CHECKS, probeApi} = await import('../../lib/probe/index.js')
    const http = createHttpClient({isInsecure: flags.insecure})
    try {
      const {signal} = this
      const target = await findTarget(http, {url: flags.url, model: flags.model ?? null, apiKey, signal})
      const found = await whileCounting('requests answered', API_CHECKS, answered =>
        probeApi(http, target, bearer(apiKey), flags.timeout, answered, signal),
      )
      const words = (isSupported: boolean | null): string =>
        isSupported === null ? 'unclear' : isSupported ? 'yes' : 'no'
      const rows = found.map(({name, isSupported, detail}) => [name, words(isSupported), detail])
      this.log(
        alignColumns(
          [
            ['capability', 'left'],
            ['supported', 'left'],
            ['detail', 'left'],
          ],
          rows,
        ).join('\n'),
      )
      return {
        url: target.baseUrl,
        model: target.model,
        capabilities: found.map(({name, isSupported, detail}) => ({name, supported: isSupported, detail})),
      }
    } finally {
      await http.close()
    }
  }
}
