// An engine of the library's users: keeps taking and giving blocks through the built package until it is told to end.
// node library-engine.js END, where END is what it does after a line on stdin: exit, throw, reject, loop (until a signal);
// idle had all blocks and gave them back before that first line, and does nothing any more
import {createInterface} from 'node:readline'
import {vllm} from '../../dist/index.js'

const [end = 'loop'] = process.argv.slice(2)
const [TOKENS, HEADS, SIZE, LAYERS, BLOCKS] = [16, 8, 64, 1, 1024]
await vllm.initKvcached({device: 'cpu', memoryBytes: 64 * 2 ** 20})
vllm.allocKvCache([2, BLOCKS, TOKENS, HEADS, SIZE], TOKENS, 'float16', 'cpu', LAYERS)
const manager = await vllm.getKvCacheManager(BLOCKS, TOKENS, HEADS * SIZE * 2, LAYERS)

const held = []
const takeAll = () => {
  for (let ids = manager.alloc(16); ids !== null; ids = manager.alloc(16)) held.push(ids)
}
// Always as much as it gets, and never the same for long; as an engine does, it gives up what a lower limit has no room for.
const churn = () => {
  while (manager.observabilitySnapshot().in_shrink && held.length > 0) manager.free(held.shift())
  takeAll()
  for (let count = Math.ceil(held.length / 4); count > 0; count--) manager.free(held.shift())
}
if (end === 'idle') {
  takeAll()
  for (const ids of held.splice(0)) manager.free(ids)
} else setInterval(churn, 2)

console.log(JSON.stringify({pid: process.pid}))
for await (const _ of createInterface(process.stdin)) {
  if (end === 'exit') process.exit(0)
  else if (end === 'throw')
    setImmediate(() => {
      throw new Error('on purpose')
    })
  else if (end === 'reject') void Promise.reject(new Error('on purpose'))
  else if (end === 'shutdown') {
    await vllm.shutdownKvcached()
    process.exit(0)
  }
}
