import {readdirSync, statSync} from 'node:fs'

/** A change that comes within this of another may leave the same time: kernels stamp by their tick of 1 to 10 ms. */
const SETTLED_AFTER_MS = 100

/**
 * Names the state of a folder's list of names: the same stamp twice is the same list, with the same files behind it, since
 * making, removing and renaming a file set the folder's time. What is written into a file does not.
 *
 * @returns null where it cannot be told: no folder, none of ours, or one that changed a moment ago
 * @see inode(7) — a directory's mtime changes by the creation or deletion of files in it
 */
export function folderStamp(path: string, nowMs = Date.now()): string | null {
  try {
    const {dev, ino, mtimeMs} = statSync(path)
    return nowMs - mtimeMs < SETTLED_AFTER_MS ? null : `${dev} ${ino} ${mtimeMs}`
  } catch {
    return null
  }
}

/**
 * Lists a folder's regular files, sorted; while its stamp stays the folder is not read again.
 *
 * @returns a function that throws as readdir(3) fails
 */
export function createFileLister(path: string): () => readonly string[] {
  let listed: {readonly stamp: string | null; readonly names: readonly string[]} | null = null
  return () => {
    // Before the names: what changes while they are read changes the stamp as well.
    const stamp = folderStamp(path)
    if (stamp !== null && listed?.stamp === stamp) return listed.names
    const files = readdirSync(path, {withFileTypes: true}).filter(entry => entry.isFile())
    listed = {stamp, names: files.map(({name}) => name).sort()}
    return listed.names
  }
}
