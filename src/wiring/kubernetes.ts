import type {Cluster, Kubectl} from '../lib/kube/index.js'
import type {GroupGuard} from '../lib/processes/index.js'

/** A watch and a forwarded port have nothing to tidy up. */
const STOP_MS = 1000

/**
 * The cluster of the kubeconfig, through the `kubectl` of PATH. Watches and forwarded ports, which nothing else would end, end
 * also when kvctl is killed.
 */
export async function kubernetesCluster(context: string | null): Promise<Cluster> {
  const {createCluster} = await import('../lib/kube/index.js')
  const {followProgram, runCaptured, startGroupGuard, startProgram} =
    await import('../lib/processes/index.js')
  let guard: GroupGuard | null = null
  const watch = (pid: number): void => (guard ??= startGroupGuard()).watch(pid, STOP_MS)
  const kubectl: Kubectl = {
    run: async (args, options) => runCaptured('kubectl', args, options),
    async follow(args, options) {
      const started: number[] = []
      const onStart = (pid: number): void => {
        started.push(pid)
        watch(pid)
      }
      try {
        return await followProgram('kubectl', args, {...options, onStart})
      } finally {
        for (const pid of started) guard?.forget(pid)
      }
    },
    start(args) {
      const program = startProgram('kubectl', args)
      watch(program.pid)
      void program.ended.then(() => guard?.forget(program.pid))
      return program
    },
  }
  return createCluster(kubectl, context)
}
