import {Gauge, type Registry} from 'prom-client'
import {blockCounts, type MachineLook} from '../../lib/machine/index.js'

/** @returns puts the engines of a look in place of those before; what is unknown has no series */
export function enginesSeries(registers: Registry[]): (look: MachineLook) => void {
  const gauge = (rest: string, help: string, ...labels: string[]): Gauge =>
    new Gauge({name: `kvctl_engine_${rest}`, help, labelNames: ['url', 'model', ...labels], registers})
  const isUp = gauge('up', 'Whether an engine that was named or found answers: 1 or 0.')
  const blocks = gauge('kv_blocks', 'KV blocks of the engine.')
  const used = gauge('kv_blocks_used', 'KV blocks that requests hold.')
  const memory = gauge('memory_bytes', "Parts of the engine's memory.", 'part', 'basis')
  const all = [isUp, blocks, used, memory]
  return ({engines}) => {
    for (const series of all) series.reset()
    for (const {url, model, state, source, pools, memory: parts} of engines) {
      if (state !== 'ok' && source !== 'configured') continue
      const labels = {url, model: model ?? ''}
      isUp.set(labels, state === 'ok' ? 1 : 0)
      const counts = blockCounts(pools)
      if (counts.total !== null) blocks.set(labels, counts.total)
      if (counts.used !== null) used.set(labels, counts.used)
      for (const [part, {bytes, basis}] of [
        ['total', parts.total],
        ['weights_and_runtime', parts.weightsAndRuntime],
        ['kv_reserved', parts.kvReserved],
        ['kv_used', parts.kvUsed],
        ['kv_cached_free', parts.kvCachedFree],
        ['kv_free', parts.kvFree],
      ] as const) {
        if (bytes !== null && basis !== null) memory.set({...labels, part, basis}, bytes)
      }
    }
  }
}
