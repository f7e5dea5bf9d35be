import {Flags} from '@oclif/core'

/** Which service of which cluster. */
export const serviceFlags = {
  service: Flags.string({description: 'name of the service', required: true, helpValue: 'NAME'}),
  namespace: Flags.string({
    char: 'n',
    description: 'Kubernetes namespace (also KVMINI_NAMESPACE; default default)',
    helpValue: 'NAMESPACE',
  }),
  context: Flags.string({
    description: 'context of the kubeconfig (default the current one)',
    helpValue: 'NAME',
  }),
  kind: Flags.option({
    options: ['InferenceService', 'LLMInferenceService'] as const,
    description: 'what KServe is to make of it',
    default: 'InferenceService',
  })(),
}

export function namespaceOf(flag: string | undefined): string {
  return flag ?? (process.env['KVMINI_NAMESPACE'] || 'default')
}
