import {Flags} from '@oclif/core'
import {alignColumns} from '../cli/align-columns.js'
import {ControllerCommand, controllerFlags, queryOf} from '../cli/controller-command.js'
import {durationFlag} from '../cli/flags.js'
import {formatDurationMs} from '../lib/foundation/index.js'
import type {ActiveModelsJson, IdleModelsJson} from '../lib/router/index.js'

interface RoutedModels {
  readonly models: Readonly<
    Record<
      string,
      {readonly endpoint: string; readonly phase?: string; readonly replicas?: readonly unknown[]}
    >
  >
}

export default class Models extends ControllerCommand {
  static override summary = 'show the models behind a controller, all, the idle or the active ones'
  static override description =
    'Asks a controller (kvctl serve --config, or that of kvcached) for its models. Idle means without a request, or a wake-up, for longer than the threshold.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --idle --threshold 10m',
    '<%= config.bin %> <%= command.id %> --active --window 5m --json',
  ]
  static override enableJsonFlag = true
  static override flags = {
    ...controllerFlags,
    idle: Flags.boolean({description: 'only idle ones', exclusive: ['active']}),
    active: Flags.boolean({description: 'only active ones'}),
    threshold: durationFlag({description: 'time without activity above which a model is idle'}),
    window: durationFlag({description: 'what request rates look back, with --active', dependsOn: ['active']}),
  }

  async run(): Promise<RoutedModels | IdleModelsJson | ActiveModelsJson> {
    const {flags} = await this.parse(Models)
    const {threshold, window} = flags
    if (flags.idle) {
      const path = `/models/idle${queryOf({threshold})}`
      const idle = await this.ask(flags, controller => controller.get<IdleModelsJson>(path))
      this.#show(
        ['Requests', 'Idle for'],
        Object.entries(idle.idle_model_details).map(([name, details]) => [
          name,
          String(details.total_requests),
          formatDurationMs(details.idle_time_seconds * 1000),
        ]),
        'No model is idle.',
      )
      return idle
    }
    if (flags.active) {
      const path = `/models/active${queryOf({threshold, window})}`
      const active = await this.ask(flags, controller => controller.get<ActiveModelsJson>(path))
      this.#show(
        ['Requests', 'Rate'],
        Object.entries(active.active_model_details).map(([name, details]) => [
          name,
          String(details.total_requests),
          `${details.request_rate.toFixed(2)}/s`,
        ]),
        'No model is active.',
      )
      return active
    }
    const all = await this.ask(flags, controller => controller.get<RoutedModels>('/models'))
    this.#show(
      ['Engines', 'Phase'],
      Object.entries(all.models).map(([name, {replicas, phase}]) => [
        name,
        String(replicas?.length ?? 1),
        phase ?? 'N/A',
      ]),
      'The controller has no model.',
    )
    return all
  }

  #show(titles: readonly [string, string], rows: string[][], none: string): void {
    const columns = [['Model', 'left'], ...titles.map(title => [title, 'right'] as const)] as const
    this.log(rows.length === 0 ? none : alignColumns(columns, rows).join('\n'))
  }
}
