import {parseKey, type CacheKey} from './cache-key.js'

const FS_SUFFIX = '.data'
const DISK_SUFFIX = '.pt'

/** A chunk's file of the FS connector. @see LMCache/LMCache:lmcache/v1/storage_backend/connector/fs_connector.py */
export function fsFileName(key: string): string {
  return key.replaceAll('/', '-SEP-') + FS_SUFFIX
}

/** The key that a file of the FS connector names; null for any other file. */
export function keyOfFsFile(name: string): {readonly text: string; readonly key: CacheKey} | null {
  if (!name.endsWith(FS_SUFFIX)) return null
  const text = name.slice(0, -FS_SUFFIX.length).replaceAll('-SEP-', '/')
  const key = parseKey(text)
  return key === null ? null : {text, key}
}

/** A chunk's file of the local disk backend; not reversible. @see LMCache/LMCache:lmcache/v1/storage_backend/local_disk_backend.py */
export function diskFileName(key: string): string {
  return key.replaceAll('/', '-') + DISK_SUFFIX
}

/** Which of several folders holds a chunk: `abs(hash) mod count`. */
export function folderOf(hash: string, count: number): number {
  if (count === 1) return 0
  const magnitude = BigInt(`0x${hash.replace('-', '')}`)
  return Number(magnitude % BigInt(count))
}
