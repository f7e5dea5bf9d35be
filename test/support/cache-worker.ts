import {silentLogger, type Logger} from '../../src/lib/foundation/index.js'
import {CacheSettings} from '../../src/lib/tiers/cache-settings.js'
import type {ChunkFiles} from '../../src/lib/tiers/chunk-files.js'
import {EmbeddedWorker} from '../../src/lib/tiers/embedded-worker.js'
import {HostPagedKv} from '../../src/lib/tiers/host-paged-kv.js'
import type {SettingValue} from '../../src/lib/tiers/setting-definitions.js'
import {identityOf, type WorkerIdentity} from '../../src/lib/tiers/worker-identity.js'

const GIB = 2 ** 30

/** 2 layers of 8 values: 64 bytes a token, 512 bytes a chunk of 8 tokens, 4 KiB in the pool and on disk. */
export const SMALL_IDENTITY: WorkerIdentity = {
  ...identityOf({}),
  ...{model: 'org/m', slots: 64, blockSize: 4},
  shape: {layers: 2, kvSize: 2, heads: 1, headSize: 8, dtype: 'bfloat16'},
}
export const CHUNK_BYTES = 512
export const POOL_BYTES = 4096

/** What `max_local_cpu_size` and `max_local_disk_size` are for so many chunks. */
export function gibibytesFor(chunks: number): number {
  return (chunks * POOL_BYTES) / GIB
}

export interface SmallWorkerOptions {
  readonly settings?: Readonly<Record<string, SettingValue>>
  readonly identity?: Partial<WorkerIdentity>
  readonly files?: ChunkFiles
  readonly logger?: Logger
  readonly allowedPaths?: readonly string[]
}

/** An embedded worker with a small buffer, chunks of 8 tokens and room for 16 of them. */
export async function openSmallWorker(options: SmallWorkerOptions = {}): Promise<EmbeddedWorker> {
  const identity = {...SMALL_IDENTITY, ...options.identity}
  return EmbeddedWorker.open({
    settings: new CacheSettings({
      ...{chunk_size: 8, max_local_cpu_size: gibibytesFor(16), blocking_timeout_secs: 2},
      ...options.settings,
    }),
    identity,
    kv: new HostPagedKv(identity),
    version: '0.1.0',
    allowedPaths: options.allowedPaths ?? [],
    logger: options.logger ?? silentLogger,
    retryMs: 20,
    ...(options.files && {files: options.files}),
  })
}

export function slotsUpTo(count: number): number[] {
  return Array.from({length: count}, (_, index) => index)
}

/** All bytes at the first slots, as hexadecimal. */
export function bytesOf({kv}: EmbeddedWorker, slots: readonly number[]): string {
  return kv.layers.map((_, layer) => Buffer.from(kv.gatherLayer(layer, slots)).toString('hex')).join()
}

/** Overwrites the first slots, so that only a retrieve can bring back what was there. */
export function wipe({kv}: EmbeddedWorker, count: number): void {
  const {layers, kvSize, heads, headSize} = kv.shape
  kv.scatter(slotsUpTo(count), new Uint8Array(count * layers * kvSize * heads * headSize * 2))
}

/** Waits until something holds, at most ten seconds. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let look = 0; look < 1000; look++) {
    if (await holds()) return
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  throw new Error('it did not come to hold within ten seconds')
}
