import {Args} from '@oclif/core'
import {COMPLETION_SCRIPTS} from '../cli/completion-scripts.js'
import {KvctlCommand} from '../cli/kvctl-command.js'

export default class Completion extends KvctlCommand {
  static override summary = 'print the completion script of a shell'
  static override description =
    'Completes commands, flags and what exists right now: segments, runs and profiles. Needs kvctl on the PATH.'
  static override examples = [
    {description: 'bash, for this session', command: 'source <(<%= config.bin %> completion bash)'},
    {
      description: 'bash, for good',
      command: "echo 'source <(<%= config.bin %> completion bash)' >> ~/.bashrc",
    },
    {
      description: 'zsh, for good (after compinit)',
      command: "echo 'source <(<%= config.bin %> completion zsh)' >> ~/.zshrc",
    },
  ]
  static override args = {
    shell: Args.string({
      description: 'bash or zsh',
      required: true,
      options: Object.keys(COMPLETION_SCRIPTS),
    }),
  }

  async run(): Promise<void> {
    const {args} = await this.parse(Completion)
    process.stdout.write(COMPLETION_SCRIPTS[args.shell as keyof typeof COMPLETION_SCRIPTS])
  }
}
