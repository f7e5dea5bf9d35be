import {stat} from 'node:fs/promises'

const LOOK_EVERY_MS = 500

/** Which file stands at a path, and when it was written. */
export interface FileVersion {
  readonly inode: number
  readonly modifiedMs: number
}

/** @returns null where nothing is, or nothing that may be looked at */
export async function fileVersion(path: string): Promise<FileVersion | null> {
  const found = await stat(path).catch(() => null)
  return found && {inode: found.ino, modifiedMs: found.mtimeMs}
}

/**
 * Calls back when a file is another than the one that was read. By looking: editors and Kubernetes put another file in its
 * place, which no watch on the first one sees.
 *
 * @param read as it was before it was read: what is written while its reader starts is a change too
 * @returns ends it
 */
export function watchConfig(path: string, read: FileVersion | null, changed: () => void): () => void {
  let seen = read
  const timer = setInterval(() => {
    void fileVersion(path).then(now => {
      // Gone for the moment.
      if (now === null || (now.inode === seen?.inode && now.modifiedMs === seen.modifiedMs)) return
      seen = now
      changed()
    })
  }, LOOK_EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}
