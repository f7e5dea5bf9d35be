// The tiers beside limits measured in the same run: memcpy, sequential files, redis-benchmark's server.
// node build/bench/cache.js [FOLDER on the device to measure, default the system's temporary folder]
import {closeSync, fdatasyncSync, mkdtempSync, openSync, readSync, rmSync, writeSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {silentLogger} from '../src/lib/foundation/index.js'
import {CacheSettings} from '../src/lib/tiers/cache-settings.js'
import {createChunkHasher} from '../src/lib/tiers/core/hash/chunk-hasher.js'
import {planChunks} from '../src/lib/tiers/core/plan-chunks.js'
import {EmbeddedWorker} from '../src/lib/tiers/embedded-worker.js'
import {HostPagedKv} from '../src/lib/tiers/host-paged-kv.js'
import {identityOf, type WorkerIdentity} from '../src/lib/tiers/worker-identity.js'
import {startRedis} from '../test/support/redis.js'
import {findProgram} from '../test/support/requires.js'
import {median} from './support/median.js'

const ROUNDS = 7
const MIB = 2 ** 20
const CHUNK_BYTES = 32 * MIB
const CHUNKS = 4
const TOKENS = 256 * CHUNKS

/** Llama 3.1 8B: 32 MiB a chunk of 256 tokens. */
const identity: WorkerIdentity = {
  ...identityOf({}),
  ...{slots: TOKENS, shape: {layers: 32, kvSize: 2, heads: 8, headSize: 128, dtype: 'bfloat16'}},
}
const slots = Array.from({length: TOKENS}, (_, slot) => slot)
const folder = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'kvctl-bench-'))

async function gigabytes(bytes: number, work: () => unknown): Promise<number> {
  const rates: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now()
    await work()
    rates.push(bytes / (performance.now() - started) / 1e6)
  }
  return median(rates)
}

function show(what: string, rate: number, limit: number, limitName: string, aim: number): void {
  const ratio = rate / limit
  console.log(
    `${what.padEnd(24)} ${rate.toFixed(2)} GB/s, ${limitName} ${limit.toFixed(2)}, ratio ${ratio.toFixed(2)} (aim ${aim})`,
  )
}

async function open(settings: Record<string, string | number | boolean>): Promise<EmbeddedWorker> {
  return EmbeddedWorker.open({
    settings: new CacheSettings({max_local_cpu_size: 1, ...settings}),
    ...{
      identity,
      kv: new HostPagedKv(identity),
      version: '0',
      allowedPaths: [],
      logger: silentLogger,
      retryMs: 1000,
    },
  })
}

async function cpuTier(): Promise<void> {
  const [from, to] = [Buffer.alloc(CHUNK_BYTES, 1), Buffer.alloc(CHUNK_BYTES)]
  const memcpy = await gigabytes(CHUNK_BYTES * CHUNKS, () => {
    for (let chunk = 0; chunk < CHUNKS; chunk++) to.set(from)
  })
  const worker = await open({})
  const stored = await gigabytes(CHUNK_BYTES * CHUNKS, async () => {
    worker.storeTokens(slots, slots, 'bench')
    await worker.clear(null)
  })
  worker.storeTokens(slots, slots, 'bench')
  const retrieved = await gigabytes(CHUNK_BYTES * CHUNKS, async () =>
    worker.retrieveTokens(slots, slots, 'bench'),
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
  const worker = await EmbeddedWorker.open({
    settings: new CacheSettings({max_local_cpu_size: 1, chunk_size: 16}),
    ...{
      identity: small,
      kv: new HostPagedKv(small),
      version: '0',
      allowedPaths: [],
      logger: silentLogger,
      retryMs: 1000,
    },
  })
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
  console.log(`lookup of 1,000 keys      ${median(times).toFixed(0)} µs (aim < 200)`)
}

function hashing(): void {
  const tokens = Array.from({length: 131_072}, (_, token) => token)
  for (const algorithm of ['builtin', 'sha256_cbor', 'sha256'] as const) {
    const hasher = createChunkHasher({algorithm, seed: '0', variant: 'siphash13', keepsBytes: false})
    const rates = Array.from({length: ROUNDS}, () => {
      const started = performance.now()
      planChunks(hasher, tokens, 256, false)
      return tokens.length / (performance.now() - started) / 1000
    })
    const aim = algorithm === 'builtin' ? ' (aim ≥ 50)' : ''
    console.log(`hashing, ${algorithm.padEnd(15)} ${median(rates).toFixed(1)} M tokens/s${aim}`)
  }
}

async function disk(): Promise<void> {
  const bytes = CHUNK_BYTES * CHUNKS
  const path = join(folder, 'sequential')
  const buffer = Buffer.alloc(CHUNK_BYTES, 1)
  const written = await gigabytes(bytes, () => {
    const file = openSync(path, 'w')
    for (let chunk = 0; chunk < CHUNKS; chunk++) writeSync(file, buffer)
    closeSync(file)
  })
  const read = await gigabytes(bytes, () => {
    const file = openSync(path, 'r')
    for (let chunk = 0; chunk < CHUNKS; chunk++) readSync(file, buffer, 0, CHUNK_BYTES, chunk * CHUNK_BYTES)
    closeSync(file)
  })
  const file = openSync(path, 'r+')
  fdatasyncSync(file)
  closeSync(file)
  rmSync(path)
  const worker = await open({local_disk: join(folder, 'disk'), max_local_disk_size: 4})
  const {stored, retrieved} = await throughTier(worker)
  show('disk store', stored, written, 'sequential write', 0.9)
  show('disk retrieve', retrieved, read, 'sequential read', 0.9)
}

/** GB/s into and out of the tier below the hot cache. */
async function throughTier(worker: EmbeddedWorker): Promise<{stored: number; retrieved: number}> {
  const bytes = CHUNK_BYTES * CHUNKS
  const stored = await gigabytes(bytes, async () => {
    await worker.clear(null)
    worker.storeTokens(slots, slots, 'bench')
    await worker.store.settle()
  })
  const retrieved = await gigabytes(bytes, async () => {
    await worker.clear(['LocalCPUBackend'])
    await worker.retrieveTokens(slots, slots, 'bench')
  })
  await worker.close()
  return {stored, retrieved}
}

async function redis(): Promise<void> {
  if (findProgram('redis-server') === null) return
  const server = await startRedis()
  const {Redis} = await import('ioredis')
  const client = new Redis(server.url)
  const buffer = Buffer.alloc(CHUNK_BYTES, 1)
  const bytes = CHUNK_BYTES * CHUNKS
  const set = await gigabytes(bytes, async () =>
    Promise.all(Array.from({length: CHUNKS}, async (_, key) => client.set(`bench${key}`, buffer))),
  )
  const get = await gigabytes(bytes, async () =>
    Promise.all(Array.from({length: CHUNKS}, async (_, key) => client.getBuffer(`bench${key}`))),
  )
  const worker = await open({remote_url: server.url})
  const {stored, retrieved} = await throughTier(worker)
  client.disconnect()
  await server.stop()
  show('Redis store', stored, set, "the client's bare SET", 0.8)
  show('Redis retrieve', retrieved, get, "the client's bare GET", 0.8)
}

try {
  hashing()
  await lookups()
  await cpuTier()
  await disk()
  await redis()
} finally {
  rmSync(folder, {recursive: true, force: true})
}
