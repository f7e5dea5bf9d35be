import type {Cluster, Kubectl} from '../lib/kube/index.js'

/** The cluster of the kubeconfig, through the `kubectl` of PATH. */
export async function kubernetesCluster(context: string | null): Promise<Cluster> {
  const {createCluster} = await import('../lib/kube/index.js')
  const {followProgram, runCaptured, startProgram} = await import('../lib/processes/index.js')
  const kubectl: Kubectl = {
    run: async (args, options) => runCaptured('kubectl', args, options),
    follow: async (args, options) => followProgram('kubectl', args, options),
    start: args => startProgram('kubectl', args),
  }
  return createCluster(kubectl, context)
}
