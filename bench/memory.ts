/**
 * What KV memory costs on this machine: mapping and unmapping a 2 MiB page through koffi beside the same calls in C, handing blocks out and taking them back beside
 * kvcached's own manager (8.4 / 9.2 / 62 / 308 µs for 1 / 16 / 128 / 1024 blocks, measured on a machine of this class), what is resident before, during and after a shrink,
 * and how soon an idle pool obeys a limit.
 *
 *     npm run build:test && node build/bench/memory.js [PAGES]
 */
import {execFileSync} from 'node:child_process'
import {mkdtempSync, rmSync} from 'node:fs'
import {cpus, tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as delay} from 'node:timers/promises'
import {createKvcached} from '../src/lib/elastic/index.js'
import {silentLogger} from '../src/lib/foundation/index.js'
import {KvCacheManager, type KvCacheOptions} from '../src/lib/kvcache/index.js'
import {pageMapper, reserveHostMemory, type Reservation} from '../src/lib/memory/index.js'
import {repositoryRoot} from '../test/support/cli.js'
import {median} from './support/median.js'
import {segmentStoreIn} from '../test/support/segments.js'

const MIB = 2 ** 20
const PAGE_BYTES = 2 * MIB
const ROUNDS = 7
const pages = Number(process.argv[2] ?? 64)
const options: KvCacheOptions = {
  numBlocks: 65_536,
  blockBytes: 32_768,
  pageBytes: PAGE_BYTES,
  numLayers: 32,
  buffersPerLayer: 2,
  reservesNullBlock: true,
  minReservedPages: 5,
  maxReservedPages: 10,
  defersUnmapping: false,
}

console.log(`${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}, medians of ${ROUNDS}`)
pageCosts()
blockCosts()
shrink()
await obedience()

function pageCosts(): void {
  const folder = mkdtempSync(join(tmpdir(), 'kvctl-bench-'))
  process.on('exit', () => rmSync(folder, {recursive: true}))
  const loop = join(folder, 'page-loop')
  execFileSync('cc', ['-O2', '-o', loop, join(repositoryRoot, 'bench/support/page-loop.c')])
  const memory = reserveHostMemory({pageBytes: PAGE_BYTES, pageCount: pages, name: 'kvctl-bench'})
  const all = Array.from({length: pages}, (_, page) => page)
  const secondsPerPage = (act: (page: number) => void): number => {
    const started = performance.now()
    all.forEach(act)
    return (performance.now() - started) / 1000 / pages
  }
  const [ours, theirs] = [
    {map: [] as number[], unmap: [] as number[]},
    {map: [] as number[], unmap: [] as number[]},
  ]
  // Turn by turn, so that whatever else runs here slows both down.
  for (let round = -1; round < ROUNDS; round++) {
    const map = secondsPerPage(page => memory.map(page))
    const unmap = secondsPerPage(page => memory.unmap(page))
    const [inC, outC] = execFileSync(loop, [String(pages), '1', String(PAGE_BYTES)], {encoding: 'utf8'})
      .split(' ')
      .map(Number)
    if (round < 0) continue
    ours.map.push(map)
    ours.unmap.push(unmap)
    theirs.map.push(inC!)
    theirs.unmap.push(outC!)
  }
  memory.release()
  for (const what of ['map', 'unmap'] as const) {
    const [mine, floor] = [median(ours[what]), median(theirs[what])]
    console.log(
      `${what.padEnd(6)} ${(1 / mine).toFixed(0)} pages/s through koffi, ${(1 / floor).toFixed(0)} in C: ${(mine / floor).toFixed(2)} × its time (goal ≤ 1.25)`,
    )
  }
}

function blockCosts(): void {
  const mapper = {map: () => undefined, unmap: () => undefined, availablePages: () => Infinity}
  const usage = {limitBytes: () => null, publish: () => undefined}
  for (const [count, upstream] of [
    [1, 8.4],
    [16, 9.2],
    [128, 62],
    [1024, 308],
  ] as const) {
    const manager = new KvCacheManager(mapper, usage, options)
    const rounds = Math.ceil(200_000 / count)
    const times = Array.from({length: ROUNDS}, () => {
      const started = performance.now()
      for (let round = 0; round < rounds; round++) manager.free(manager.alloc(count)!)
      return ((performance.now() - started) * 1000) / rounds
    })
    const micros = median(times)
    console.log(
      `alloc + free of ${String(count).padStart(4)} blocks: ${micros.toFixed(2)} µs, kvcached ${upstream} µs: ${(micros / upstream).toFixed(2)} × its time`,
    )
  }
}

/** Every second block freed, then the limit halved: the blocks fit at once, the pages only once blocks have moved. */
function shrink(): void {
  const memory = reserveHostMemory({pageBytes: PAGE_BYTES, pageCount: pages, name: 'kvctl-bench'})
  let limitBytes: number | null = null
  const manager = new KvCacheManager(
    pageMapper(memory, 1),
    {limitBytes: () => limitBytes, publish: () => undefined},
    {
      ...options,
      numBlocks: pages * 64,
      numLayers: 1,
      buffersPerLayer: 1,
      minReservedPages: 0,
      maxReservedPages: 0,
    },
  )
  const resident = (): string => `${memory.residentBytes() / MIB} MiB`
  const ids = manager.alloc(manager.availableSize())!
  const before = resident()
  manager.free(ids.filter((_, index) => index % 2 === 0))
  limitBytes = (pages / 2) * PAGE_BYTES
  manager.applyPendingLimit()
  const during = resident()
  const started = performance.now()
  let moved = 0
  for (let moves = manager.planCompaction(64); moves.length > 0; moves = manager.planCompaction(64)) {
    for (const {from, to} of moves) {
      memory.copyWithin(to * options.blockBytes, from * options.blockBytes, options.blockBytes)
    }
    manager.free(moves.map(move => move.from))
    moved += moves.length
  }
  console.log(
    `limit halved to ${limitBytes / MIB} MiB: resident ${before} before, ${during} while blocks lie scattered, ${resident()} after moving ${moved} blocks in ${(performance.now() - started).toFixed(0)} ms`,
  )
  memory.release()
}

/** A pool of the library that nobody calls: a limit is written to its segment, and its memory falls. */
async function obedience(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'kvctl-bench-'))
  const bundle = 2 * PAGE_BYTES
  for (const preallocates of [true, false]) {
    const store = segmentStoreIn(folder)
    const ranges: Reservation[] = []
    const {vllm} = createKvcached({
      environment: {KVCACHED_IPC_NAME: 'idle', KVCACHED_PAGE_PREALLOC_ENABLED: String(preallocates)},
      logger: silentLogger,
      temporaryFolder: folder,
      segmentStore: async () => store,
      openDevice: async () => ({
        name: 'cpu',
        memoryBytes: 64 * bundle,
        reserve(options) {
          const range = reserveHostMemory({...options, name: 'kvctl-bench'})
          ranges.push(range)
          return range
        },
      }),
    })
    await vllm.initKvcached({device: 'cpu'})
    vllm.allocKvCache([2, 1024, 16, 8, 128], 16, 'float16', 'cpu', 1)
    const manager = await vllm.getKvCacheManager(1024, 16, 2048, 1)
    const times: number[] = []
    for (let round = 0; round < 15; round++) {
      await store.writeLimit('idle', BigInt(16 * bundle))
      while (manager.getPageCounts().total < 16) await delay(5)
      manager.free(manager.alloc(10 * 64)!)
      const started = performance.now()
      await store.writeLimit('idle', BigInt(2 * bundle))
      while (ranges[0]!.residentBytes() > 2 * bundle) await delay(1)
      times.push(performance.now() - started)
    }
    console.log(
      `a lower limit in the segment of an idle pool, preallocation ${preallocates ? 'on' : 'off'}: memory is back after ${median(times).toFixed(0)} ms, at most ${Math.max(...times).toFixed(0)} (promised 200)`,
    )
    await vllm.shutdownKvcached()
  }
  rmSync(folder, {recursive: true})
}
