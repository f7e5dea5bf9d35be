import {homedir} from 'node:os'
import {join} from 'node:path'
import {Flags, ux} from '@oclif/core'
import {controllerFileFlag, durationFlag} from '../cli/flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {untilEnd} from '../cli/until-end.js'
import {formatDurationMs, packageRoot, ResourceError} from '../lib/foundation/index.js'
import {
  DEFAULT_RESTARTS,
  launchAll,
  launchEventJson,
  launchPlanJson,
  planLaunch,
  shellLine,
  type LaunchCommand,
  type LaunchEvent,
  type LaunchPlan,
  type LaunchPlanJson,
} from '../lib/launch/index.js'
import {launchParts} from '../wiring/index.js'

const COLOURS = ['cyan', 'yellow', 'green', 'magenta', 'blue'] as const

export default class Launch extends KvctlCommand {
  static override summary = "start the engines of a controller's file, and keep them running"
  static override description = `Reads the file of kvcached's controller: vLLM and SGLang are started by the python3 of their venv_path, or that of PATH, with
kvcached switched on; an instance whose engine is kvctl is kvctl's own engine. With router.enable_router kvctl serve is started too. Each engine
is awaited until it answers and shows its kvcached segment: one that shows none runs without kvcached, holds its whole KV
cache, and is stopped. One that ends is started again, after 1 s, 2 s, 4 s and so on. What they say comes line by line behind their
names. Ctrl-C ends the router, then the engines; they also end when kvctl itself is killed. No shell and no tmux takes part. With --json each event is a line.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> -f controller.yaml --dry-run',
    '<%= config.bin %> <%= command.id %> -f controller.yaml',
    '<%= config.bin %> <%= command.id %> -f controller.yaml --fail-fast --health-timeout 30m --json',
  ]
  static override enableJsonFlag = true
  static override flags = {
    file: controllerFileFlag,
    'dry-run': Flags.boolean({description: 'print the commands, without secrets, and start nothing'}),
    'health-timeout': durationFlag({
      description: 'how long an engine may take to answer',
      default: 600_000,
      defaultHelp: async () => '10m',
    }),
    'segment-timeout': durationFlag({
      description: 'how long an engine that answers may take to show its segment',
      default: 30_000,
      defaultHelp: async () => '30s',
    }),
    restarts: Flags.integer({
      description: 'how many times in a row an engine that ended is started again',
      default: DEFAULT_RESTARTS.restarts,
      min: 0,
      helpValue: 'N',
    }),
    'stop-timeout': durationFlag({
      description: 'how long a program may take to end before it is killed',
      default: 30_000,
      defaultHelp: async () => '30s',
    }),
    'fail-fast': Flags.boolean({description: 'end all when one has failed (default: the others go on)'}),
  }

  async run(): Promise<LaunchPlanJson | undefined> {
    const {flags} = await this.parse(Launch)
    const plan = await this.#read(flags.file)
    if (flags['dry-run']) {
      for (const command of plan.commands) this.log(shellLine(command))
      return launchPlanJson(plan)
    }
    const {signal} = this
    const over = new AbortController()
    const end = new AbortController()
    const waiting = untilEnd(
      AbortSignal.any([signal, over.signal]),
      this.jsonEnabled() ? process.stdin : null,
    )
    void waiting.then(() => end.abort())
    const parts = await launchParts(this.logger, flags['stop-timeout'])
    const rules = {
      ...DEFAULT_RESTARTS,
      restarts: flags.restarts,
      healthMs: flags['health-timeout'],
      segmentMs: flags['segment-timeout'],
      stopMs: flags['stop-timeout'],
      endsAtFailure: flags['fail-fast'],
    }
    try {
      const tell = this.jsonEnabled() ? this.#jsonTeller() : this.#teller(plan.commands)
      const failed = await launchAll(plan, rules, parts, tell, end.signal)
      if (failed.length === 0) return undefined
      const names = failed.map(name => `'${name}'`).join(', ')
      throw new ResourceError('LAUNCH_FAILED', `${names} failed; see above`)
    } finally {
      over.abort()
      await parts.close()
    }
  }

  async #read(path: string): Promise<LaunchPlan> {
    const {readYamlFile} = await import('../lib/config/index.js')
    const {controllerConfigOf} = await import('../lib/router/index.js')
    const config = controllerConfigOf(await readYamlFile(path), process.env)
    const plan = planLaunch(config, {
      path: process.env['PATH'] ?? '',
      home: homedir(),
      folder: process.cwd(),
      kvctl: [process.execPath, join(packageRoot, 'bin/run.js')],
    })
    for (const warning of [...config.warnings, ...plan.warnings]) this.logger.warn(warning)
    for (const {name, because} of plan.skipped) this.note(`'${name}' is not started: ${because}`)
    return plan
  }

  #jsonTeller(): (command: LaunchCommand, event: LaunchEvent) => void {
    return (command, event) => this.logJsonLine(launchEventJson(command, event, new Date()))
  }

  /** What programs say on stdout, with their names in front; what became of them on stderr. */
  #teller(commands: readonly LaunchCommand[]): (command: LaunchCommand, event: LaunchEvent) => void {
    const width = Math.max(...commands.map(({name}) => name.length))
    const prefixes = new Map(
      commands.map(({name}, index) => [
        name,
        ux.colorize(COLOURS[index % COLOURS.length], `${name.padEnd(width)} |`),
      ]),
    )
    const isReady = new Set<string>()
    return (command, event) => {
      if (event.is === 'log') {
        this.log(`${prefixes.get(command.name)!} ${event.line}`)
        return
      }
      this.note(stateLine(command, event))
      if (event.is === 'failed')
        for (const suggestion of event.error.suggestions) this.note(`  Try: ${suggestion}`)
      if (event.is !== 'ready') return
      isReady.add(command.name)
      if (isReady.size === commands.length) this.note(`All ${commands.length} are ready. Ctrl-C ends them.`)
    }
  }
}

function stateLine({name, url}: LaunchCommand, event: Exclude<LaunchEvent, {is: 'log'}>): string {
  switch (event.is) {
    case 'started':
      return `'${name}' is started, pid ${event.pid}`
    case 'ready': {
      const segment = event.segment === null ? '' : `, segment ${event.segment}`
      return `'${name}' is ready at ${url}${segment} (${formatDurationMs(event.tookMs)})`
    }
    case 'ended':
      return `'${name}' ended by itself: ${event.exit.signal ?? `status ${event.exit.code}`}`
    case 'waiting':
      return `'${name}' is started again in ${formatDurationMs(event.pauseMs)}`
    case 'failed':
      return `'${name}' failed: ${event.error.message}`
    case 'stopped':
      return `'${name}' is stopped`
  }
}
