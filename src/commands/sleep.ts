import {Args, Flags} from '@oclif/core'
import {alignColumns} from '../cli/align-columns.js'
import {ControllerCommand, controllerFlags} from '../cli/controller-command.js'
import {ConfigurationError, formatDurationMs} from '../lib/foundation/index.js'
import type {ActionJson, SleepCandidatesJson, SleepStatusJson} from '../lib/router/index.js'

export default class Sleep extends ControllerCommand {
  static override summary = 'put a model behind a controller to sleep, or show who sleeps'
  static override description =
    'The engine gives its KV cache back, and its weights (vLLM levels 1 and 2, SGLang). A model with requests in flight stays awake, and the command leaves with 4.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> Qwen/Qwen3-8B',
    '<%= config.bin %> <%= command.id %> --status',
    '<%= config.bin %> <%= command.id %> --candidates --json',
  ]
  static override enableJsonFlag = true
  static override args = {
    model: Args.string({ignoreStdin: true, description: 'as kvctl models shows it'}),
  }
  static override flags = {
    ...controllerFlags,
    status: Flags.boolean({
      default: false,
      description: 'show who sleeps since when',
      exclusive: ['candidates'],
    }),
    candidates: Flags.boolean({default: false, description: 'show whom automatic sleep would take'}),
  }

  async run(): Promise<ActionJson | SleepStatusJson | SleepCandidatesJson> {
    const {args, flags} = await this.parse(Sleep)
    const {model} = args
    if ((model !== undefined) === (flags.status || flags.candidates)) {
      throw new ConfigurationError('USAGE', 'give one of MODEL, --status and --candidates', {
        suggestions: ['kvctl sleep --help'],
      })
    }
    if (model !== undefined) {
      const done = await this.order(flags, 'sleep', model)
      this.log(done.message)
      return done
    }
    if (flags.candidates) {
      const found = await this.ask(flags, controller =>
        controller.get<SleepCandidatesJson>('/sleep/candidates'),
      )
      const rows = Object.entries(found.candidate_details).map(([name, {idle_time_seconds: idle}]) => [
        name,
        formatDurationMs(idle * 1000),
      ])
      this.#show('Idle for', rows, 'No model could sleep.')
      return found
    }
    const status = await this.ask(flags, controller => controller.get<SleepStatusJson>('/sleep/status'))
    const rows = Object.entries(status.sleeping_models).map(([name, {sleep_duration: duration}]) => [
      name,
      formatDurationMs(duration * 1000),
    ])
    this.#show('Asleep for', rows, 'No model sleeps.')
    return status
  }

  #show(title: string, rows: string[][], none: string): void {
    const columns = [
      ['Model', 'left'],
      [title, 'right'],
    ] as const
    this.log(rows.length === 0 ? none : alignColumns(columns, rows).join('\n'))
  }
}
