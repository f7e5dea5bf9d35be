import {createInterface} from 'node:readline'
import {KvctlCommand} from '../cli/kvctl-command.js'

const BANNER = "Entering kvcached shell. Type 'help' for commands, 'exit' to quit."
const PROMPT = 'kvcached> '

export default class Shell extends KvctlCommand {
  static override summary = 'run commands one after another, with history and completion'
  static override description = `Every command of kvctl without its first word. Tab completes commands, flags and names; lines are kept in ~/.kvctl_history, but
for those that begin with a space. Words are quoted as in a shell. !CMD runs a program of this system, and only when a person
types it. Ctrl-C ends the command that runs, Ctrl-D or exit the shell. What is piped into it is run line by line.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    "printf 'list\\nlimit vllm-0 8G\\n' | <%= config.bin %> <%= command.id %>",
  ]

  async run(): Promise<void> {
    await this.parse(Shell)
    const {historyFile} = await import('../cli/shell/history-file.js')
    const {runShell} = await import('../cli/shell/run-shell.js')
    const history = historyFile()
    const isTyped = process.stdin.isTTY && process.stdout.isTTY
    const end = new AbortController()
    KvctlCommand.isInShell = true
    // At the prompt Ctrl-C is a key; while a command runs it is the command's.
    process.on('SIGINT', () => undefined)
    for (const name of ['SIGTERM', 'SIGHUP'] as const) process.on(name, () => end.abort())
    const parts = {config: this.config, history, isTyped, say: (line: string) => this.log(line)}
    if (isTyped) {
      this.log(BANNER)
      const reader = await this.#typed(history.load())
      await runShell({...parts, nextLine: () => reader.next(end.signal)})
      return
    }
    const lines = createInterface({input: process.stdin, terminal: false})[Symbol.asyncIterator]()
    await runShell({
      ...parts,
      nextLine: async () => {
        const next = await lines.next()
        return next.done === true || end.signal.aborted ? null : next.value
      },
    })
  }

  async #typed(history: readonly string[]): Promise<import('../cli/shell/line-reader.js').LineReader> {
    const {createLineReader} = await import('../cli/shell/line-reader.js')
    const {completeLine} = await import('../cli/shell/shell-completer.js')
    const {liveValues} = await import('../cli/completion-values.js')
    const {shellCommands} = await import('../cli/shell/run-shell.js')
    const commands = shellCommands(this.config)
    return createLineReader({
      input: process.stdin,
      output: process.stdout,
      prompt: PROMPT,
      history,
      completer: line => completeLine(line, commands, liveValues),
    })
  }
}
