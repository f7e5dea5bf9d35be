import {stat} from 'node:fs/promises'

const LOOK_EVERY_MS = 500

/** Which file stands at a path, and when it was written. */
export interface FileVersion {
  readonly inode: number
  readonly modifiedMs: number
}

export interface ConfigWatch {
  /** Calls back whether the file changed or not, and not once more for the same change. */
  readonly askedFor: () => void
  stop(): void
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
 */
export function watchConfig(path: string, read: FileVersion | null, changed: () => void): ConfigWatch {
  let seen = read
  const look = async (isAsked: boolean): Promise<void> => {
    const now = await fileVersion(path)
    const isSame = now?.inode === seen?.inode && now?.modifiedMs === seen?.modifiedMs
    // Not there for the moment, which only those who ask are told.
    if (!isAsked && (now === null || isSame)) return
    seen = now
    changed()
  }
  const timer = setInterval(() => void look(false), LOOK_EVERY_MS)
  timer.unref()
  return {askedFor: () => void look(true), stop: () => clearInterval(timer)}
}
