import {Flags} from '@oclif/core'
import {durationFlag} from './flags.js'

const KINDS = ['InferenceService', 'LLMInferenceService'] as const

/** Which cluster, and which kind where two services share a name. */
export const clusterFlags = {
  context: Flags.string({
    description: 'context of the kubeconfig (default the current one)',
    helpValue: 'NAME',
  }),
  kind: Flags.option({
    options: KINDS,
    description: 'kind of the service (default: that which has the name)',
  })(),
}

/** vLLM's probe of a starting model gives up after 30 minutes. */
export const readyTimeoutFlag = durationFlag({
  description: 'how long the service may take to be ready',
  default: 1_800_000,
  defaultHelp: async () => '30m',
})

const nameFlags = {
  service: Flags.string({description: 'name of the service', required: true, helpValue: 'NAME'}),
  namespace: Flags.string({
    char: 'n',
    description: 'Kubernetes namespace (also KVMINI_NAMESPACE; default default)',
    helpValue: 'NAMESPACE',
  }),
}

/** Which service of which cluster. */
export const serviceFlags = {...nameFlags, ...clusterFlags}

/** The same for one that is to be made. */
export const deployedFlags = {
  ...serviceFlags,
  kind: Flags.option({
    options: KINDS,
    description: 'what KServe is to make of it',
    default: 'InferenceService',
  })(),
}

export function namespaceOf(flag: string | undefined): string {
  return flag ?? (process.env['KVMINI_NAMESPACE'] || 'default')
}
