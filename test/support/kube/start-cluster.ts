import {join} from 'node:path'
import {startKubeApi, type KubeApi} from './api-server.js'
import {rulesOf} from './rules.js'

/** A cluster whose kubeconfig is `config` in the folder, and which allows what the shipped roles allow. */
export async function startCluster(folder: string): Promise<KubeApi> {
  const api = await startKubeApi()
  api.kubeconfig(join(folder, 'config'))
  api.allowed = rulesOf('examples/kubernetes/rbac.yaml')
  return api
}
