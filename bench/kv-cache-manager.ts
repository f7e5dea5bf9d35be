// alloc + free of KV blocks, beside what kvcached's own manager was measured at (8.4 / 9.2 / 62 / 308 µs).
// node build/bench/kv-cache-manager.js
import {KvCacheManager} from '../src/lib/kvcache/index.js'

const mapper = {map: () => undefined, unmap: () => undefined, availablePages: () => Infinity}
const usage = {limitBytes: () => null, publish: () => undefined}
const upstreamMicroseconds = new Map([
  [1, 8.4],
  [16, 9.2],
  [128, 62],
  [1024, 308],
])

for (const [count, upstream] of upstreamMicroseconds) {
  const manager = new KvCacheManager(mapper, usage, {
    numBlocks: 65_536,
    blockBytes: 32_768,
    pageBytes: 2 ** 21,
    numLayers: 32,
    buffersPerLayer: 2,
    reservesNullBlock: true,
    minReservedPages: 5,
    maxReservedPages: 10,
    defersUnmapping: false,
  })
  const rounds = Math.ceil(200_000 / count)
  const times = Array.from({length: 7}, () => {
    const started = performance.now()
    for (let round = 0; round < rounds; round++) manager.free(manager.alloc(count)!)
    return ((performance.now() - started) * 1000) / rounds
  })
  const median = times.sort((a, b) => a - b)[3]!
  console.log(
    `${count} blocks: ${median.toFixed(2)} µs, upstream ${upstream} µs, ratio ${(median / upstream).toFixed(2)}`,
  )
}
