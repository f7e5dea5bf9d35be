import {Flags} from '@oclif/core'
import {alignColumns} from '../cli/align-columns.js'
import {controllerFileFlag} from '../cli/flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {
  balanceJson,
  moveJson,
  type BalanceJson,
  type BalanceMove,
  type BalanceView,
} from '../lib/balance/index.js'
import {ConfigurationError, formatSize} from '../lib/foundation/index.js'
import {balancerFor} from '../wiring/index.js'

export default class Balance extends KvctlCommand {
  static override summary = 'move KV-cache limits between models by demand'
  static override description = `Reads the balance block of the controller's file: every segment keeps its floor, what is above the floors is shared by what
the requests of each model want, and nobody gets more than its ceiling. Shrinks come first; a raise waits until the memory
is really free, so that limits never exceed the total. Without a total it is the sum of the limits at the start. Ctrl-C
ends it; the limits stay. kvctl serve --config does the same beside its routes.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> -f controller.yaml --dry-run',
    '<%= config.bin %> <%= command.id %> -f controller.yaml',
    '<%= config.bin %> <%= command.id %> -f controller.yaml --json',
  ]
  static override enableJsonFlag = true
  static override flags = {
    file: controllerFileFlag,
    'dry-run': Flags.boolean({description: 'show what would be moved and why, and move nothing'}),
  }

  async run(): Promise<BalanceJson | undefined> {
    const {flags} = await this.parse(Balance)
    const {signal} = this
    const {readYamlFile} = await import('../lib/config/index.js')
    const {controllerConfigOf} = await import('../lib/router/index.js')
    const {balance} = controllerConfigOf(await readYamlFile(flags.file), process.env)
    if (balance === null) {
      throw new ConfigurationError('BALANCE_MISSING', `${flags.file} has no balance block`, {
        suggestions: ['add balance: {total: 16G} and the segment of each instance'],
      })
    }
    const balancer = await balancerFor(balance, this.logger)
    try {
      if (flags['dry-run']) {
        const view = await balancer.view(signal)
        this.#explain(view)
        return balanceJson(view)
      }
      await balancer.run(move => this.#moved(move), signal)
      return undefined
    } finally {
      await balancer.close()
    }
  }

  #moved(move: BalanceMove): void {
    if (this.jsonEnabled()) this.logJsonLine({time: new Date().toISOString(), ...moveJson(move)})
    else this.log(moveLine(move))
  }

  #explain({totalBytes, looks, missing, plan}: BalanceView): void {
    const columns = [
      ['Segment', 'left'],
      ['Limit', 'right'],
      ['Holds', 'right'],
      ['Wants', 'right'],
      ['Floor', 'right'],
      ['Ceiling', 'right'],
      ['Target', 'right'],
    ] as const
    const rows = looks.map(look => {
      const target = plan.targets.get(look.segment)
      return [
        look.segment,
        ...[look.limitBytes, look.heldBytes, look.demandBytes, look.floorBytes, look.ceilingBytes].map(
          formatSize,
        ),
        target === undefined ? 'N/A' : formatSize(target),
      ]
    })
    this.log(`${formatSize(totalBytes)} to share`)
    this.log(alignColumns(columns, rows).join('\n'))
    for (const name of missing) this.note(`'${name}' is not there, so nothing is moved`)
    for (const move of plan.moves) this.log(moveLine(move))
    if (plan.moves.length === 0 && missing.length === 0) this.log('Nothing is worth a move.')
  }
}

function moveLine({segment, fromBytes, toBytes, because}: BalanceMove): string {
  return `${segment}: ${formatSize(fromBytes)} → ${formatSize(toBytes)}, since ${because}`
}
