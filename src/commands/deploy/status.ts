import {namespaceOf, serviceFlags} from '../../cli/cluster-flags.js'
import {KvctlCommand} from '../../cli/kvctl-command.js'
import {serviceLines} from '../../cli/service-lines.js'
import type {ServiceJson} from '../../lib/kube/index.js'
import {kubernetesCluster} from '../../wiring/index.js'

export default class DeployStatus extends KvctlCommand {
  static override summary = 'show a deployed service: conditions, addresses, pods and what keeps them'
  static override description =
    'What kubectl get isvc, get pods and logs would show together: every condition with its reason, what pods use (kubectl top pods, where the cluster measures it), and their last lines.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> --service demo-llm --namespace ml-prod',
    '<%= config.bin %> <%= command.id %> --service demo-llm --json',
  ]
  static override enableJsonFlag = true
  static override flags = serviceFlags

  async run(): Promise<ServiceJson> {
    const {flags} = await this.parse(DeployStatus)
    const {detailsOf, findService, lookAtService, serviceJson, serviceNotFound} =
      await import('../../lib/kube/index.js')
    const cluster = await kubernetesCluster(flags.context ?? null)
    const namespace = namespaceOf(flags.namespace)
    const asked = {kind: flags.kind ?? null, name: flags.service, namespace}
    const name = await findService(cluster, asked, this.signal)
    const look = await lookAtService(cluster, name, this.signal)
    if (look === null) throw serviceNotFound(name)
    const service = serviceJson(look, await detailsOf(cluster, name, look, this.signal))
    this.log(serviceLines(service).join('\n'))
    return service
  }
}
