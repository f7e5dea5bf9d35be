import {mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {silentLogger, systemClock} from '../../src/lib/foundation/index.js'
import {createMemoryStore, createSegmentStore, type SegmentStore} from '../../src/lib/segments/index.js'
import {libc} from '../../src/native/libc.js'

export const MIB = 2n ** 20n
export const GIB = 2n ** 30n

/** A folder of its own that stands for /dev/shm, and a real store on it. */
export interface SegmentFolder {
  readonly directory: string
  readonly stateFolder: string
  readonly store: SegmentStore
  /** Writes a segment by hand. @returns its path */
  readonly put: (name: string, limitBytes: bigint, usedBytes?: bigint, preallocBytes?: bigint) => string
  readonly remove: () => void
}

/** A real store on a folder that stands for /dev/shm. */
export function segmentStoreIn(
  directory: string,
  {
    stateFolder = join(directory, 'state'),
    readPatienceMs = 1000,
    lockTimeoutMs = 1000,
  }: {stateFolder?: string; readPatienceMs?: number; lockTimeoutMs?: number} = {},
): SegmentStore {
  return createSegmentStore({
    ...{directory, libc, readPatienceMs, lockTimeoutMs},
    clock: systemClock,
    logger: silentLogger,
    memories: createMemoryStore(stateFolder, silentLogger),
  })
}

export function segmentFolder(): SegmentFolder {
  const root = mkdtempSync(join(tmpdir(), 'kvctl-segments-'))
  const [directory, stateFolder] = [mkdtempSync(join(root, 'shm-')), join(root, 'state')]
  const store = segmentStoreIn(directory, {stateFolder, readPatienceMs: 100, lockTimeoutMs: 5000})
  return {
    directory,
    stateFolder,
    store,
    put(name, limitBytes, usedBytes = 0n, preallocBytes = 0n) {
      const path = join(directory, name)
      writeFileSync(path, recordBytes(limitBytes, usedBytes, preallocBytes))
      return path
    },
    remove: () => rmSync(root, {recursive: true, force: true}),
  }
}

/** The 24 bytes, made without the code under test. */
export function recordBytes(limitBytes: bigint, usedBytes = 0n, preallocBytes = 0n): Buffer {
  const bytes = Buffer.alloc(24)
  bytes.writeBigInt64LE(limitBytes, 0)
  bytes.writeBigInt64LE(usedBytes, 8)
  bytes.writeBigInt64LE(preallocBytes, 16)
  return bytes
}
