import type {Cluster} from './kubectl.js'
import {HUGGING_FACE} from './manifest.js'

interface RuntimeObject {
  readonly spec?: {
    readonly disabled?: boolean
    readonly supportedModelFormats?: readonly {readonly name: string}[]
  }
}

/**
 * The format that a cluster's runtimes serve with vLLM, spelled as they spell it, which KServe compares letter by letter: that of
 * vLLM's own runtime, else of KServe's Hugging Face server.
 *
 * @returns null where none has one
 * @see kserve/kserve:config/runtimes/kserve-vllmserver.yaml, kserve-huggingfaceserver.yaml
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
  const ofVllm = names.filter(name => name.toLowerCase() === 'vllm')
  return names.find(name => name === 'vLLM') ?? ofVllm[0] ?? names.find(name => name === HUGGING_FACE) ?? null
}
