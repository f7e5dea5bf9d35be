import {Flags} from '@oclif/core'
import {namespaceOf, serviceFlags} from '../cli/cluster-flags.js'
import {durationFlag} from '../cli/flags.js'
import {KvctlCommand} from '../cli/kvctl-command.js'
import {whileWaiting} from '../cli/waiting-line.js'
import {systemClock} from '../lib/foundation/index.js'
import {kubernetesCluster} from '../wiring/index.js'

export default class Undeploy extends KvctlCommand {
  static override summary = 'remove a service that kvctl deployed, and what belongs to it'
  static override description =
    'Removes the service, its ConfigMap and the Secret and ServiceAccount that kvctl made, and waits until the service is gone. What somebody else made stays, unless --force is given.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> --service demo-llm --namespace ml-prod',
    '<%= config.bin %> <%= command.id %> --service demo-llm --json',
  ]
  static override enableJsonFlag = true
  static override flags = {
    ...serviceFlags,
    force: Flags.boolean({description: 'remove the service though kvctl did not make it'}),
    timeout: durationFlag({
      description: 'how long the service may take to go',
      default: 300_000,
      defaultHelp: async () => '5m',
    }),
  }

  async run(): Promise<{readonly removed: readonly string[]}> {
    const {flags} = await this.parse(Undeploy)
    const {findService, removeService} = await import('../lib/kube/index.js')
    const cluster = await kubernetesCluster(flags.context ?? null)
    const asked = {kind: flags.kind ?? null, name: flags.service, namespace: namespaceOf(flags.namespace)}
    const name = await findService(cluster, asked, this.signal)
    const options = {isForced: flags.force, timeoutMs: flags.timeout, clock: systemClock}
    const removed = await whileWaiting(
      `Removing ${flags.service}`,
      flags.timeout,
      removeService(cluster, name, options, this.signal),
    )
    for (const one of removed) this.log(`removed ${one}`)
    return {removed}
  }
}
