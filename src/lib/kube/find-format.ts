import type {Cluster} from './kubectl.js'

interface RuntimeObject {
  readonly spec?: {
    readonly disabled?: boolean
    readonly supportedModelFormats?: readonly {readonly name: string}[]
  }
}

/**
 * How the runtimes of a cluster spell vLLM's format, which KServe compares letter by letter. The stock runtime says `vLLM`.
 *
 * @returns null where none has it
 * @see kserve/kserve:config/runtimes/kserve-vllmserver.yaml
 */
export async function findFormat(
  cluster: Cluster,
  namespace: string,
  signal: AbortSignal,
): Promise<string | null> {
  const [own, shared] = await Promise.all([
    cluster.list('servingruntimes.serving.kserve.io', null, namespace, signal),
    cluster.list('clusterservingruntimes.serving.kserve.io', null, null, signal),
  ])
  const names = ([...own, ...shared] as RuntimeObject[])
    .filter(({spec}) => spec?.disabled !== true)
    .flatMap(({spec}) => spec?.supportedModelFormats?.map(({name}) => name) ?? [])
    .filter(name => name.toLowerCase() === 'vllm')
  return names.find(name => name === 'vLLM') ?? names[0] ?? null
}
