import {Args, Flags, loadHelpClass} from '@oclif/core'
import {KvctlCommand} from '../cli/kvctl-command.js'

export default class Help extends KvctlCommand {
  static override summary = 'show the help of kvctl or of one command'
  static override examples = ['<%= config.bin %> help', '<%= config.bin %> help limit']
  static override strict = false
  static override args = {command: Args.string({description: 'the command, such as bench'})}
  static override flags = {
    'nested-commands': Flags.boolean({char: 'n', summary: 'include the commands of topics'}),
  }

  async run(): Promise<void> {
    const {argv, flags} = await this.parse(Help)
    const HelpClass = await loadHelpClass(this.config)
    await new HelpClass(this.config, {all: flags['nested-commands']}).showHelp(argv as string[])
  }
}
