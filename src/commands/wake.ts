import {Args} from '@oclif/core'
import {ControllerCommand, controllerFlags} from '../cli/controller-command.js'
import type {ActionJson} from '../lib/router/index.js'

export default class Wake extends ControllerCommand {
  static override summary = 'wake a model behind a controller'
  static override description =
    'Waits until it is awake; a model that fell asleep a moment ago wakes after its minimum sleep. One that is awake already leaves with 4.'
  static override examples = ['<%= config.bin %> <%= command.id %> Qwen/Qwen3-8B']
  static override enableJsonFlag = true
  static override args = {
    model: Args.string({ignoreStdin: true, required: true, description: 'as kvctl models shows it'}),
  }
  static override flags = controllerFlags

  async run(): Promise<ActionJson> {
    const {args, flags} = await this.parse(Wake)
    const done = await this.order(flags, 'wake', args.model)
    this.log(done.message)
    return done
  }
}
