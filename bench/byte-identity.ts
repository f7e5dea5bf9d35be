/**
 * Whether answers depend on how their KV cache was paged, at full length: 2,000 random requests on the matrix of caching, chunked prefill, preemption and streams, and 2,000 at 64
 * streams under a limit that falls and rises every 100 ms, each on this machine's memory and through the stand-in CUDA driver. Leaves with 1 at the first answer that differs.
 *
 *     npm run build:test && node build/bench/byte-identity.js [SEED]
 */
import {deepStrictEqual} from 'node:assert'
import {mkdtempSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {
  openCudaDriver,
  reserveCudaMemory,
  reserveHostMemory,
  type PageReserve,
} from '../src/lib/memory/index.js'
import {expectSameAnswers} from '../test/support/byte-identity.js'
import {cudaStandIn} from '../test/support/cuda/stand-in.js'
import {generation, range} from '../test/support/engine-core.js'
import {answersAlone} from '../test/support/engine-rig.js'
import {MIGRATING_BUNDLE_BYTES, startMigratingEngine} from '../test/support/migrating-engine.js'

const [STREAMS, REQUESTS, RUNS] = [64, 2000, 400]
const seed = Number(process.argv[2] ?? Math.floor(Math.random() * 2 ** 31))
const folder = mkdtempSync(join(tmpdir(), 'kvctl-bench-'))
process.on('exit', () => rmSync(folder, {recursive: true}))
const driver = cudaStandIn(folder, {granularity: MIGRATING_BUNDLE_BYTES})
process.env['KVCTL_TEST_CUDA_FOLDER'] = driver.env['KVCTL_TEST_CUDA_FOLDER']
const cuda = openCudaDriver(driver.library)

console.log(`seed ${seed}, Node ${process.version}`)
for (const [memory, reserve] of [
  ['host memory', pages => reserveHostMemory({...pages, name: 'kvctl-bench'})],
  ['stand-in CUDA driver', pages => reserveCudaMemory({...pages, device: 0}, cuda)],
] as [string, PageReserve][]) {
  for (const swings of [false, true]) {
    const {requests, cells, preemptions, movedBlocks} = expectSameAnswers({runs: RUNS, reserve, swings, seed})
    console.log(
      `${memory}, ${swings ? 'swinging limit' : 'the matrix'}: ${requests} answers the same in ${cells.size} combinations; ${preemptions} preemptions, ${movedBlocks} blocks moved`,
    )
  }
  await underAnOscillatingLimit(memory, reserve)
}

/** Every 500 requests on another combination of caching and chunked prefill, 64 at a time, by the machine's own clock. */
async function underAnOscillatingLimit(memory: string, reserve: PageReserve): Promise<void> {
  for (const enablePrefixCaching of [true, false]) {
    for (const enableChunkedPrefill of [true, false]) {
      const home = mkdtempSync(join(folder, 'engine-'))
      const limits = {maxModelLen: 160, maxNumBatchedTokens: enableChunkedPrefill ? 256 : 2048}
      const engine = await startMigratingEngine(home, reserve, true, {
        ...{enablePrefixCaching, enableChunkedPrefill, ...limits},
        meanAnswerTokens: 50,
      })
      let asked = 0
      for (; asked < REQUESTS / 4; asked += STREAMS) {
        const requests = range(asked, asked + STREAMS).map(index =>
          generation(`r${index}`, range(index % 300, (index % 300) + 40 + (index % 9)), 60),
        )
        const expected = answersAlone(requests, 160)
        const said = await engine.ask(requests)
        requests.forEach(({id}, index) => deepStrictEqual(said[index], expected.get(id), `answer of ${id}`))
      }
      console.log(
        `${memory}, a limit that changes every 100 ms, caching ${enablePrefixCaching}, chunks ${enableChunkedPrefill}: ${asked} answers the same at ${STREAMS} streams; ${engine.unrest()} blocks moved and preemptions`,
      )
      await engine.close()
    }
  }
}
