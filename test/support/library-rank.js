// One process of a tensor-parallel engine: a worker that keeps pages, or the one that schedules.
// node library-rank.js worker RANK SIZE | node library-rank.js scheduler SIZE; each line on stdin is an order, each answer a line
import {readdirSync, readlinkSync, statSync} from 'node:fs'
import {createInterface} from 'node:readline'
import {vllm} from '../../dist/index.js'

const [role, ...numbers] = process.argv.slice(2)
const [TOKENS, HEADS, SIZE, LAYERS, BLOCKS] = [16, 8, 64, 2, 1024]
const [tpRank, tpSize] = role === 'worker' ? numbers.map(Number) : [0, Number(numbers[0])]
await vllm.initKvcached({
  device: 'cpu',
  memoryBytes: 128 * 2 ** 20,
  tpRank,
  tpSize,
  isWorker: role === 'worker',
})
const say = answer => console.log(JSON.stringify(answer))

/** Memory behind this process's pages, as the kernel counts it. */
function residentBytes() {
  let bytes = 0
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`).startsWith('/memfd:'))
        bytes += statSync(`/proc/self/fd/${fd}`).blocks * 512
    } catch {
      // The descriptor of this very listing.
    }
  }
  return bytes
}

let manager = null
if (role === 'worker') vllm.allocKvCache([2, BLOCKS, TOKENS, HEADS, SIZE], TOKENS, 'float16', 'cpu', LAYERS)
else manager = await vllm.getKvCacheManager(BLOCKS, TOKENS, HEADS * SIZE * 2, LAYERS)
say({pid: process.pid})

for await (const line of createInterface(process.stdin)) {
  const [order, argument] = line.split(' ')
  if (order === 'resident') say(residentBytes())
  else if (order === 'alloc') say(manager.alloc(Number(argument)))
  else if (order === 'free') say(manager.free(JSON.parse(argument)) ?? null)
  else break
}
await vllm.shutdownKvcached()
process.exit(0)
