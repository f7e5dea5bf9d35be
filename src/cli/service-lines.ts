import type {ServiceJson} from '../lib/kube/index.js'
import {alignColumns} from './align-columns.js'

/** A deployed service for people: what `kubectl get isvc`, `get pods` and `logs` would show together. */
export function serviceLines(service: ServiceJson): string[] {
  const {name, namespace, kind, ready, conditions, pods} = service
  const lines = [`${kind} '${name}' in ${namespace}: ${ready ? 'ready' : 'not ready'}`]
  for (const [title, value] of [
    ['URL', service.url],
    ['in the cluster', service.cluster_url],
    ['mode', service.deployment_mode],
    ['model', service.model_state],
  ] as const)
    if (value !== null) lines.push(`  ${title.padEnd(16)}${value}`)
  if (conditions.length > 0) {
    const columns = [
      ['Condition', 'left'],
      ['Status', 'left'],
      ['Why', 'left'],
    ] as const
    const why = ({reason, message}: (typeof conditions)[number]): string =>
      [reason, message].filter(word => word !== null).join(': ')
    lines.push(
      '',
      ...alignColumns(
        columns,
        conditions.map(one => [one.type, one.status, why(one)]),
      ),
    )
  }
  if (pods.length > 0) {
    const columns = [
      ['Pod', 'left'],
      ['Phase', 'left'],
      ['Ready', 'left'],
      ['Restarts', 'right'],
      ['CPU', 'right'],
      ['Memory', 'right'],
      ['Node', 'left'],
    ] as const
    const rows = pods.map(pod => [
      pod.name,
      pod.phase ?? 'N/A',
      pod.ready ? 'yes' : 'no',
      String(pod.restarts),
      pod.cpu ?? 'N/A',
      pod.memory ?? 'N/A',
      pod.node ?? 'N/A',
    ])
    lines.push('', ...alignColumns(columns, rows))
  }
  for (const {name: pod, trouble, log} of pods) {
    if (trouble !== null) lines.push('', trouble)
    else if (log !== null && log !== '') lines.push('', `${pod} says:`)
    if (log !== null && log !== '') lines.push(...log.split('\n').map(line => `  ${line}`))
  }
  return lines
}
