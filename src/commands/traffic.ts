import {Args} from '@oclif/core'
import {alignColumns} from '../cli/align-columns.js'
import {ControllerCommand, controllerFlags, queryOf} from '../cli/controller-command.js'
import {durationFlag} from '../cli/flags.js'
import {formatDurationMs} from '../lib/foundation/index.js'
import type {TrafficJson} from '../lib/router/index.js'

interface AllTraffic {
  readonly traffic_stats: Readonly<Record<string, TrafficJson>>
  readonly window_seconds: number
}

interface ModelTraffic {
  readonly model_stats: TrafficJson & {readonly model_name: string}
  readonly window_seconds: number
}

export default class Traffic extends ControllerCommand {
  static override summary = 'show how many requests the models behind a controller get'
  static override description =
    'Totals since the start of the controller, the rate over a window, mean time of an answer, and how long a model has been idle.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> Qwen/Qwen3-8B --window 5m',
  ]
  static override enableJsonFlag = true
  static override args = {
    model: Args.string({ignoreStdin: true, description: 'one model (default all that had a request)'}),
  }
  static override flags = {
    ...controllerFlags,
    window: durationFlag({description: 'what the rate looks back (default 1m)'}),
  }

  async run(): Promise<AllTraffic | ModelTraffic> {
    const {args, flags} = await this.parse(Traffic)
    const query = queryOf({window: flags.window})
    if (args.model === undefined) {
      const all = await this.ask(flags, controller => controller.get<AllTraffic>(`/traffic/stats${query}`))
      this.#show(Object.entries(all.traffic_stats))
      return all
    }
    const path = `/traffic/stats/${encodeURIComponent(args.model)}${query}`
    const one = await this.ask(flags, controller => controller.get<ModelTraffic>(path))
    this.#show([[one.model_stats.model_name, one.model_stats]])
    return one
  }

  #show(rows: readonly (readonly [string, TrafficJson])[]): void {
    if (rows.length === 0) {
      this.log('No model has had a request yet.')
      return
    }
    const columns = [
      ['Model', 'left'],
      ['Requests', 'right'],
      ['Failed', 'right'],
      ['Rate', 'right'],
      ['Mean answer', 'right'],
      ['Idle for', 'right'],
    ] as const
    const cells = rows.map(([name, one]) => [
      name,
      String(one.total_requests),
      String(one.failed_requests),
      `${one.request_rate.toFixed(2)}/s`,
      formatDurationMs(one.avg_response_time * 1000),
      formatDurationMs(one.idle_time_seconds * 1000),
    ])
    this.log(alignColumns(columns, cells).join('\n'))
  }
}
