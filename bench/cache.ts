// The tiers beside limits measured in the same run, turn by turn: memcpy, the device's sequential rate, redis-benchmark, a bare HTTP server.
// npm run build && npm run build:test && node build/bench/cache.js [FOLDER on the device to measure, default the system's temporary folder] [PART …, of hashing, lookups, cpuTier, disk, restart, redis, controlRoutes]
import {execFileSync} from 'node:child_process'
import {once} from 'node:events'
import {
  closeSync,
  constants,
  fdatasyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import {Agent, createServer, get} from 'node:http'
import type {AddressInfo} from 'node:net'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setImmediate as turn} from 'node:timers/promises'
import {silentLogger} from '../src/lib/foundation/index.js'
import {CacheSettings} from '../src/lib/tiers/cache-settings.js'
import {diskFileName} from '../src/lib/tiers/core/file-names.js'
import {createChunkHasher} from '../src/lib/tiers/core/hash/chunk-hasher.js'
import {planChunks} from '../src/lib/tiers/core/plan-chunks.js'
import {DiskJournal} from '../src/lib/tiers/disk-journal.js'
import {EmbeddedWorker} from '../src/lib/tiers/embedded-worker.js'
import {HostPagedKv} from '../src/lib/tiers/host-paged-kv.js'
import {pageMemory} from '../src/lib/tiers/page-memory.js'
import {identityOf, type WorkerIdentity} from '../src/lib/tiers/worker-identity.js'
import {startRedis} from '../test/support/redis.js'
import {findProgram} from '../test/support/requires.js'
import {startServe} from '../test/support/serve-process.js'
import {median} from './support/median.js'
import {openPageCache, type PageCache} from './support/page-cache.js'

const ROUNDS = 7
const MIB = 2 ** 20
const CHUNK_BYTES = 32 * MIB
const CHUNKS = 4
const BYTES = CHUNK_BYTES * CHUNKS
const CHUNK_TOKENS = 256
const TOKENS = CHUNK_TOKENS * CHUNKS
const [CLIENTS, CONTROL_MS, EVERY_MS] = [100, 5000, 100]
const RESTART_CHUNKS = 100_000
/** What begins and ends alone counts less in more of them. */
const DISK_CHUNKS = 8

/** Llama 3.1 8B: 32 MiB a chunk of 256 tokens. */
const identity: WorkerIdentity = {
  ...identityOf({}),
  ...{slots: TOKENS, shape: {layers: 32, kvSize: 2, heads: 8, headSize: 128, dtype: 'bfloat16'}},
}
const slots = Array.from({length: TOKENS}, (_, slot) => slot)
const folder = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'kvctl-bench-'))

/** Milliseconds of the processor that this process takes: what others do on the machine does not count. */
function cpuMs(): number {
  const {user, system} = process.cpuUsage()
  return (user + system) / 1000
}

const wallMs = (): number => performance.now()

type Work = () => unknown

/** GB/s of each, one after the other in every round, so that whatever else runs slows all of them down; medians. */
async function rates<K extends string>(
  works: Record<K, {work: Work; before?: Work}>,
  {clock = wallMs, bytes = BYTES} = {},
): Promise<Record<K, number>> {
  const times = Object.fromEntries(Object.keys(works).map(name => [name, [] as number[]])) as Record<
    K,
    number[]
  >
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, {work, before}] of Object.entries(works) as [K, {work: Work; before?: Work}][]) {
      await before?.()
      const started = clock()
      await work()
      if (round >= 0) times[name].push(bytes / (clock() - started) / 1e6)
    }
  }
  return Object.fromEntries(
    Object.entries<number[]>(times).map(([name, all]) => [name, median(all)]),
  ) as Record<K, number>
}

function show(what: string, rate: number, limit: number, limitName: string, aim: number): void {
  const ratio = rate / limit
  console.log(
    `${what.padEnd(28)} ${rate.toFixed(2)} GB/s, ${limitName} ${limit.toFixed(2)}, ratio ${ratio.toFixed(2)} (aim ${aim})`,
  )
}

async function open(
  settings: ConstructorParameters<typeof CacheSettings>[0],
  whose: WorkerIdentity = identity,
): Promise<EmbeddedWorker> {
  return EmbeddedWorker.open({
    settings: new CacheSettings({max_local_cpu_size: 1, ...settings}),
    ...{identity: whose, kv: new HostPagedKv(whose), version: '0', allowedPaths: []},
    ...{logger: silentLogger, retryMs: 1000},
  })
}

async function cpuTier(): Promise<void> {
  const pairs = Array.from(
    {length: CHUNKS},
    () => [Buffer.alloc(CHUNK_BYTES, 1), Buffer.alloc(CHUNK_BYTES)] as const,
  )
  const worker = await open({})
  const {memcpy, stored, retrieved} = await rates(
    {
      memcpy: {
        work: () => {
          for (const [from, to] of pairs) to.set(from)
        },
      },
      stored: {before: async () => worker.clear(null), work: () => worker.storeTokens(slots, slots, 'bench')},
      retrieved: {work: async () => worker.retrieveTokens(slots, slots, 'bench')},
    },
    {clock: cpuMs},
  )
  await worker.close()
  show('CPU store', stored, memcpy, 'memcpy', 0.85)
  show('CPU retrieve', retrieved, memcpy, 'memcpy', 0.85)
}

async function lookups(): Promise<void> {
  const small: WorkerIdentity = {
    ...identity,
    shape: {...identity.shape, layers: 1, heads: 1, headSize: 8},
    slots: 16_000,
  }
  const worker = await open({chunk_size: 16}, small)
  const tokens = Array.from({length: 16_000}, (_, token) => token)
  worker.storeTokens(tokens, tokens, 'bench')
  const keys = worker.keysOf(tokens).map(({key}) => key)
  const times: number[] = []
  for (let round = 0; round < 200; round++) {
    const started = performance.now()
    await worker.store.lookup(keys)
    times.push((performance.now() - started) * 1000)
  }
  await worker.close()
  console.log(`lookup of 1,000 keys         ${median(times).toFixed(0)} µs (aim < 200)`)
}

function hashing(): void {
  const tokens = Array.from({length: 131_072}, (_, token) => token)
  for (const algorithm of ['builtin', 'sha256_cbor', 'sha256'] as const) {
    const hasher = createChunkHasher({algorithm, seed: '0', variant: 'siphash13', keepsBytes: false})
    const perMs = Array.from({length: ROUNDS}, () => {
      const started = cpuMs()
      planChunks(hasher, tokens, 256, false)
      return tokens.length / (cpuMs() - started) / 1000
    })
    const aim = algorithm === 'builtin' ? ' (aim ≥ 50)' : ''
    console.log(`hashing, ${algorithm.padEnd(19)} ${median(perMs).toFixed(1)} M tokens/s${aim}`)
  }
}

/** Waits until the device has what the system holds of these files. */
function flush(paths: readonly string[]): void {
  for (const path of paths) {
    const file = openSync(path, 'r+')
    fdatasyncSync(file)
    closeSync(file)
  }
}

/**
 * One way to the device, plainly and through a tier: as many files of the same size from memory of the same kind, flushed at the end
 * on both sides. Plainly they come one after the other, one call each, without checksum, journal or rename.
 */
async function diskWorks(
  passage: 'cached' | 'direct',
  pageCache: PageCache,
): Promise<{
  readonly written: {before: Work; work: Work}
  readonly stored: {before: Work; work: Work}
  readonly read: {before: Work; work: Work}
  readonly retrieved: {before: Work; work: Work}
  readonly warm: {readonly read: {work: Work}; readonly retrieved: {before: Work; work: Work}}
  readonly close: () => Promise<void>
}> {
  const whose = {...identity, slots: CHUNK_TOKENS * DISK_CHUNKS}
  const all = Array.from({length: whose.slots}, (_, slot) => slot)
  const tier = join(folder, `disk-${passage}`)
  const worker = await open(
    {
      ...{local_disk: tier, max_local_disk_size: 4},
      ...{extra_config: {use_odirect: passage === 'direct'}},
    },
    whose,
  )
  // As much memory as the tier's: one buffer alone would stay in the processor's caches.
  const buffers = Array.from({length: DISK_CHUNKS}, () => pageMemory(CHUNK_BYTES).fill(1))
  const plainFiles = buffers.map((_, chunk) => join(folder, `plain-${passage}-${chunk}`))
  const chunkFiles = (): string[] =>
    readdirSync(tier)
      .filter(name => name.endsWith('.pt'))
      .map(name => join(tier, name))
  const flags = passage === 'direct' ? constants.O_DIRECT : 0
  const each = (mode: number, work: (file: number, buffer: Buffer) => unknown) => (): void =>
    plainFiles.forEach((path, index) => {
      const file = openSync(path, mode | flags)
      work(file, buffers[index]!)
      closeSync(file)
    })
  const write = each(constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, writeSync)
  const read = each(constants.O_RDONLY, readSync)
  const retrieve = async (): Promise<void> => {
    if ((await worker.retrieveTokens(all, all, 'bench')) !== all.length) throw new Error('not all came back')
  }
  const emptyMemory = async (): Promise<unknown> => worker.clear(['LocalCPUBackend'])
  return {
    written: {
      before: () => plainFiles.forEach(path => rmSync(path, {force: true})),
      work: () => {
        write()
        flush(plainFiles)
      },
    },
    stored: {
      before: async () => worker.clear(null),
      work: async () => {
        // Chunk after chunk, as an engine's steps fill them.
        for (let end = CHUNK_TOKENS; end <= all.length; end += CHUNK_TOKENS) {
          worker.storeTokens(all.slice(0, end), all.slice(0, end), 'bench')
          await turn()
        }
        await worker.store.settle()
        flush(chunkFiles())
      },
    },
    read: {before: async () => pageCache.forget(plainFiles), work: read},
    retrieved: {
      before: async () => {
        await emptyMemory()
        await pageCache.forget(chunkFiles())
      },
      work: retrieve,
    },
    warm: {read: {work: read}, retrieved: {before: emptyMemory, work: retrieve}},
    close: async () => worker.close(),
  }
}

async function disk(): Promise<void> {
  const pageCache = openPageCache()
  const [cached, direct] = [await diskWorks('cached', pageCache), await diskWorks('direct', pageCache)]
  const seen = await rates(
    {
      ...{writtenCached: cached.written, storedCached: cached.stored},
      ...{writtenDirect: direct.written, storedDirect: direct.stored},
      ...{readCached: cached.read, retrievedCached: cached.retrieved},
      ...{readDirect: direct.read, retrievedDirect: direct.retrieved},
      ...{readWarm: cached.warm.read, retrievedWarm: cached.warm.retrieved},
    },
    {bytes: DISK_CHUNKS * CHUNK_BYTES},
  )
  for (const {close} of [cached, direct]) await close()
  pageCache.close()
  show('disk store', seen.storedCached, seen.writtenCached, 'sequential write', 0.9)
  show('disk retrieve', seen.retrievedCached, seen.readCached, 'sequential read', 0.9)
  show('disk store, O_DIRECT', seen.storedDirect, seen.writtenDirect, 'sequential write', 0.9)
  show('disk retrieve, O_DIRECT', seen.retrievedDirect, seen.readDirect, 'sequential read', 0.9)
  show('disk retrieve, from memory', seen.retrievedWarm, seen.readWarm, 'read from the page cache', 0.5)
}

/** As many files of one small chunk as a restart is measured with. */
async function restart(): Promise<void> {
  const home = join(folder, 'restart')
  mkdirSync(home)
  const small: WorkerIdentity = {
    ...identity,
    slots: 16,
    shape: {...identity.shape, layers: 1, heads: 1, headSize: 8},
  }
  const layout = {format: 'KV_2LTD', tensors: [{dtype: 'bfloat16', shape: [2, 1, 1, 8]}]} as const
  const entries = Array.from({length: RESTART_CHUNKS}, (_, index) => {
    const hash = index.toString(16).padStart(16, '0')
    const text = `${small.model}@${small.worldSize}@${small.workerId}@${hash}@bfloat16`
    return {key: {text, hash, tokens: 1}, layout, checksum: '0'.repeat(32)}
  })
  for (const {key} of entries) writeFileSync(join(home, diskFileName(key.text)), Buffer.alloc(32))
  await new DiskJournal(join(home, `kvctl-journal-${small.workerId}.jsonl`)).rewrite(entries)
  const times: number[] = []
  for (let round = 0; round < 3; round++) {
    const [started, startedCpu] = [wallMs(), cpuMs()]
    const worker = await open({local_disk: home, max_local_disk_size: 4}, small)
    times.push((wallMs() - started) / 1000)
    const {chunks} = worker.store.tiers[1]!.figures
    console.log(
      `restart with a disk tier of ${String(chunks)} chunks: ${times.at(-1)!.toFixed(2)} s, ${((cpuMs() - startedCpu) / 1000).toFixed(2)} s of CPU (aim < 2)`,
    )
    await worker.close()
  }
}

async function redis(): Promise<void> {
  if (findProgram('redis-server') === null) return
  const server = await startRedis()
  const worker = await open({remote_url: server.url})
  /** Requests a second that redis-benchmark reports for one command, as GB/s. */
  const benchmark = (command: 'set' | 'get'): number => {
    const args = [
      '-p',
      String(server.port),
      '-t',
      command,
      '-d',
      String(CHUNK_BYTES),
      '-n',
      '12',
      '-c',
      '4',
      '--csv',
    ]
    const line = execFileSync('redis-benchmark', args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .split('\n')
      .find(text => text.startsWith(`"${command.toUpperCase()}"`))!
    return (Number(line.split(',')[1]!.replaceAll('"', '')) * CHUNK_BYTES) / 1e9
  }
  const limits = {set: [] as number[], get: [] as number[]}
  const {stored, retrieved} = await rates({
    stored: {
      before: async () => {
        limits.set.push(benchmark('set'))
        await worker.clear(null)
      },
      work: async () => {
        worker.storeTokens(slots, slots, 'bench')
        await worker.store.settle()
      },
    },
    retrieved: {
      before: async () => {
        limits.get.push(benchmark('get'))
        await worker.clear(['LocalCPUBackend'])
      },
      work: async () => worker.retrieveTokens(slots, slots, 'bench'),
    },
  })
  await worker.close()
  await server.stop()
  show('Redis store', stored, median(limits.set), 'redis-benchmark SET', 0.8)
  show('Redis retrieve', retrieved, median(limits.get), 'redis-benchmark GET', 0.8)
}

/** Times of every answer while 100 clients ask each 100 ms, spread over these. */
async function answerTimes(url: string): Promise<number[]> {
  const agent = new Agent({keepAlive: true, maxSockets: CLIENTS})
  const ask = async (): Promise<number> => {
    const started = performance.now()
    await new Promise<void>((resolve, reject) => {
      get(url, {agent}, answer => answer.resume().once('end', resolve)).once('error', reject)
    })
    return performance.now() - started
  }
  const times: number[] = []
  const client = async (index: number): Promise<void> => {
    const first = performance.now() + (index * EVERY_MS) / CLIENTS
    for (let turn = 0; turn * EVERY_MS < CONTROL_MS; turn++) {
      await new Promise(resolve => setTimeout(resolve, first + turn * EVERY_MS - performance.now()))
      const ms = await ask()
      // The first second connects and compiles.
      if (turn * EVERY_MS >= 1000) times.push(ms)
    }
  }
  await Promise.all(Array.from({length: CLIENTS}, async (_, index) => client(index)))
  agent.destroy()
  return times.sort((a, b) => a - b)
}

async function controlRoutes(): Promise<void> {
  const bare = createServer((_, response) =>
    response.setHeader('content-type', 'application/json').end('{"status":"success"}'),
  )
  await once(bare.listen(0, '127.0.0.1'), 'listening')
  const served = await startServe('--api', 'cache')
  const at = (times: readonly number[], share: number): string =>
    times[Math.floor(times.length * share)]!.toFixed(2)
  for (const [what, url] of [
    ['bare node:http, in this process', `http://127.0.0.1:${(bare.address() as AddressInfo).port}`],
    ['/freeze/status', `${served.url}/freeze/status`],
    ['/bypass/list', `${served.url}/bypass/list`],
    ['/hot_cache/status', `${served.url}/hot_cache/status`],
  ] as const) {
    // A worker runs for days and is measured as such.
    await answerTimes(url)
    const times = await answerTimes(url)
    console.log(
      `${what.padEnd(32)} ${CLIENTS} clients, ${times.length} answers: p50 ${at(times, 0.5)}, p99 ${at(times, 0.99)} ms (aim p99 < 2)`,
    )
  }
  bare.close()
  served.child.kill('SIGTERM')
  await once(served.child, 'close')
}

const SECTIONS = {hashing, lookups, cpuTier, disk, restart, redis, controlRoutes}
const asked = process.argv.slice(3)
try {
  for (const [name, run] of Object.entries(SECTIONS))
    if (asked.length === 0 || asked.includes(name)) await run()
} finally {
  rmSync(folder, {recursive: true, force: true})
}
