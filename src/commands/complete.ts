import {complete, type CompletableCommand} from '../cli/completion.js'
import {liveValues} from '../cli/completion-values.js'
import {KvctlCommand} from '../cli/kvctl-command.js'

/** Asked by the scripts of `kvctl completion` at each Tab: `kvctl complete -- WORD… WORD_AT_CURSOR`. */
export default class Complete extends KvctlCommand {
  static override hidden = true
  static override strict = false
  static override summary = 'print what may stand at the cursor, one candidate and its meaning a line'

  async run(): Promise<void> {
    const words = this.argv[0] === '--' ? this.argv.slice(1) : this.argv
    const commands = this.config.commands as readonly CompletableCommand[]
    const candidates = await complete(words, commands, liveValues)
    for (const {value, description} of candidates) process.stdout.write(`${value}\t${description}\n`)
  }
}
