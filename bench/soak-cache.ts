// Stores, retrieves and clears while its tiers fail, and holds every byte that comes back to what was stored.
// node build/bench/soak-cache.js [SECONDS, default 60] [SCALE, default 1: chunks of 64 KiB; from 16 on the disk tier has the device begin early]
import {readdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {seededRandom, silentLogger} from '../src/lib/foundation/index.js'
import {CacheSettings} from '../src/lib/tiers/cache-settings.js'
import {chunkFiles, type ChunkFiles} from '../src/lib/tiers/chunk-files.js'
import {EmbeddedWorker} from '../src/lib/tiers/embedded-worker.js'
import {HostPagedKv} from '../src/lib/tiers/host-paged-kv.js'
import {identityOf, type WorkerIdentity} from '../src/lib/tiers/worker-identity.js'
import {startRedis} from '../test/support/redis.js'

const [SECONDS, SCALE] = [Number(process.argv[2] ?? 60), Number(process.argv[3] ?? 1)]
const random = seededRandom(42)
const folder = mkdtempSync(join(tmpdir(), 'kvctl-soak-'))
const identity: WorkerIdentity = {
  ...identityOf({}),
  ...{slots: 512, shape: {layers: 4, kvSize: 2, heads: 1, headSize: 64 * SCALE, dtype: 'bfloat16'}},
}
const ROW_BYTES = 128 * SCALE
const PLANES = 8
const counts = {stores: 0, retrieves: 0, hits: 0, faults: 0, wrongBytes: 0}

let isFull = false
const files: ChunkFiles = {
  ...chunkFiles,
  async write(path, parts, passage) {
    if (isFull) throw Object.assign(new Error('ENOSPC: no space left on device'), {code: 'ENOSPC'})
    await chunkFiles.write(path, parts, passage)
  },
}
const server = await startRedis()
const open = async (): Promise<EmbeddedWorker> =>
  EmbeddedWorker.open({
    settings: new CacheSettings({
      ...{
        // 64 KiB a chunk at least: what Redis holds of it comes over connections of its own.
        chunk_size: 64,
        max_local_cpu_size: (4 * SCALE) / 1024,
        max_local_disk_size: (16 * SCALE) / 1024,
        blocking_timeout_secs: 1,
      },
      ...{local_disk: join(folder, 'disk'), remote_url: server.url},
      extra_config: {use_odirect: random.unit() < 0.5},
    }),
    ...{identity, kv: new HostPagedKv(identity), version: '0', allowedPaths: [], logger: silentLogger},
    ...{retryMs: 50, files},
  })

/** The KV of a token at its place in a plane: what any retrieve must bring back. */
function fill(bytes: Uint8Array, start: number, count: number): void {
  for (let plane = 0; plane < PLANES; plane++)
    for (let slot = 0; slot < count; slot++)
      bytes.fill(
        (start + slot) * 7 + plane * 31,
        (plane * count + slot) * ROW_BYTES,
        (plane * count + slot + 1) * ROW_BYTES,
      )
}

function compare(worker: EmbeddedWorker, start: number, count: number, hit: number): void {
  const [found, expected] = [
    new Uint8Array(count * PLANES * ROW_BYTES),
    new Uint8Array(count * PLANES * ROW_BYTES),
  ]
  worker.kv.gather(slotsUpTo(count), found)
  fill(expected, start, count)
  for (let plane = 0; plane < PLANES; plane++) {
    const from = plane * count * ROW_BYTES
    const part = (bytes: Uint8Array): Buffer => Buffer.from(bytes.subarray(from, from + hit * ROW_BYTES))
    if (!part(found).equals(part(expected))) counts.wrongBytes++
  }
}

function slotsUpTo(count: number): number[] {
  return Array.from({length: count}, (_, slot) => slot)
}

/** One fault, begun or ended. */
async function disturb(worker: EmbeddedWorker): Promise<void> {
  counts.faults++
  switch (random.integer(0, 5)) {
    case 0:
      isFull = !isFull
      break
    case 1:
      await server.kill()
      await server.start()
      break
    case 2:
      server.process.kill('SIGSTOP')
      setTimeout(() => server.process.kill('SIGCONT'), 1500)
      break
    case 3: {
      const names = readdirSync(join(folder, 'disk')).filter(name => name.endsWith('.pt'))
      const name = names[random.integer(0, Math.max(0, names.length - 1))]
      if (name !== undefined)
        writeFileSync(join(folder, 'disk', name), Buffer.alloc(random.integer(0, 40_000), 1))
      break
    }
    case 4:
      worker.store.isFrozen = !worker.store.isFrozen
      break
    default:
      worker.store.bypass('RemoteBackend', !worker.store.bypassed.includes('RemoteBackend'))
  }
}

let worker = await open()
const until = performance.now() + SECONDS * 1000
try {
  for (let turn = 1; performance.now() < until; turn++) {
    const start = 10_000 * random.integer(0, 40)
    const count = 64 * random.integer(1, 8)
    const tokens = slotsUpTo(count).map(slot => start + slot)
    const bytes = new Uint8Array(count * PLANES * ROW_BYTES)
    if (random.unit() < 0.5) {
      fill(bytes, start, count)
      worker.kv.scatter(slotsUpTo(count), bytes)
      worker.storeTokens(tokens, slotsUpTo(count), 'soak')
      counts.stores++
    } else {
      worker.kv.scatter(slotsUpTo(count), bytes)
      const hit = await worker.retrieveTokens(tokens, slotsUpTo(count), 'soak')
      compare(worker, start, count, hit)
      counts.retrieves++
      if (hit > 0) counts.hits++
    }
    if (random.unit() < 0.02) await worker.clear(random.unit() < 0.5 ? null : ['LocalCPUBackend'])
    if (turn % 200 === 0) await disturb(worker)
    if (turn % 2000 === 0) {
      await worker.close()
      worker = await open()
    }
    if (turn % 50 === 0) await new Promise(resolve => setTimeout(resolve, 1))
  }
  await worker.store.settle()
  const {pool, figures} = worker.store.cpu
  const leaked = pool.objects - (figures.chunks ?? 0)
  console.log(JSON.stringify({...counts, leaked, rss_mib: Math.round(process.memoryUsage().rss / 2 ** 20)}))
  if (counts.wrongBytes > 0 || leaked !== 0) process.exitCode = 1
} finally {
  server.process.kill('SIGCONT')
  await worker.close()
  await server.stop()
  rmSync(folder, {recursive: true, force: true})
}
