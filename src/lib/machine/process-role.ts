/** What a process does within an inference engine. */
export interface EngineRole {
  readonly engine: 'vllm' | 'sglang' | 'kvctl'
  /** `api_server`, `engine_core`, `worker` … in the engine's own words, in snake_case. */
  readonly role: string
  /** Tensor-parallel rank, where the process is one of several. */
  readonly rank: number | null
}

/**
 * Pure: the role that a process states by its title, or by what it was started with; null for other programs.
 *
 * @see vllm-project/vllm:vllm/utils/system_utils.py — set_process_title: `VLLM::EngineCore`, `VLLM::Worker_TP0`
 * @see sgl-project/sglang:python/sglang/srt/managers/scheduler.py — setproctitle: `sglang::scheduler_TP0`
 */
export function engineRoleOf(command: string | null): EngineRole | null {
  if (command === null) return null
  const [, engine, title] = /^(vllm|sglang)::(\w+)/i.exec(command) ?? []
  if (engine !== undefined && title !== undefined) {
    const rank = /_TP(\d+)/i.exec(title)?.[1]
    return {
      engine: engine.toLowerCase() as 'vllm' | 'sglang',
      role: snakeCase(title.replace(/_(?:TP|DP|PP|EP)\d+/gi, '')),
      rank: rank === undefined ? null : Number(rank),
    }
  }
  const server = (name: EngineRole['engine']): EngineRole => ({engine: name, role: 'api_server', rank: null})
  const words = command.split(' ').map(word => word.slice(word.lastIndexOf('/') + 1))
  const [first = '', second = '', third = ''] = words
  if (/^(vllm|sglang)$/.test(first)) return server(first as 'vllm' | 'sglang')
  if (/^(vllm|sglang)$/.test(second)) return server(second as 'vllm' | 'sglang')
  const module = second === '-m' ? /^(vllm|sglang)(\.|$)/.exec(third)?.[1] : undefined
  if (module !== undefined) return server(module as 'vllm' | 'sglang')
  const isOurs = /^(kvctl|run\.js)$/.test(first)
    ? second === 'engine'
    : /^(kvctl|run\.js)$/.test(second) && third === 'engine'
  return isOurs ? {engine: 'kvctl', role: 'engine', rank: null} : null
}

function snakeCase(title: string): string {
  return title.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase()
}
