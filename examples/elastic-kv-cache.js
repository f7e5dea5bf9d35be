// A KV cache that holds only the memory it uses, in kvcached's own shapes. From the repository: node examples/elastic-kv-cache.js [cpu|cuda:0]
// While it runs, kvctl list shows its segment and kvctl limit changes how much it may hold.
import {readFileSync} from 'node:fs'
import {vllm} from 'kvctl'

const [blockSize, heads, headSize, layers] = [16, 8, 128, 4]
const device = process.argv[2] ?? 'cpu'
const residentMiB = () =>
  Number(/RssShmem:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) / 1024

await vllm.initKvcached({device})
try {
  // Addresses for all that the machine has; memory for nothing yet.
  const tensors = vllm.allocKvCache(
    [2, 1024, blockSize, heads, headSize],
    blockSize,
    'float16',
    device,
    layers,
  )
  const manager = await vllm.getKvCacheManager(1024, blockSize, heads * headSize * 2, layers)
  console.log(`shape (${tensors[0].shape.join(', ')}), ${manager.availableSize()} blocks to be had`)

  const blocks = manager.alloc(256)
  if (blocks === null) throw new Error('the segment allows fewer blocks')
  const keys = tensors[0].at(0, blocks[0])
  keys.write(new Uint16Array(blockSize * heads * headSize).fill(0x3c00)) // 1.0 in float16
  console.log(
    `256 blocks: ${manager.getMappedMemorySize('mb')} MiB mapped, ${residentMiB().toFixed(0)} MiB resident`,
  )
  console.log(`the first key is 0x${keys.read()[0].toString(16)}`)

  manager.free(blocks)
  manager.trim()
  console.log(
    `none: ${manager.getMappedMemorySize('mb')} MiB mapped, ${residentMiB().toFixed(0)} MiB resident`,
  )
} finally {
  // Memory and segment are gone after this, as after SIGINT, SIGTERM or a throw.
  await vllm.shutdownKvcached()
}
