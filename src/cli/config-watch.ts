import {unwatchFile, watchFile} from 'node:fs'

const LOOK_EVERY_MS = 500

/**
 * Calls back when a file has changed. By looking: editors and Kubernetes put another file in its place, which no watch on the
 * first one sees.
 *
 * @returns ends it
 */
export function watchConfig(path: string, changed: () => void): () => void {
  const look = (now: {mtimeMs: number; ino: number}, before: {mtimeMs: number; ino: number}): void => {
    // 0: it is gone for the moment.
    if (now.mtimeMs !== 0 && (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino)) changed()
  }
  watchFile(path, {interval: LOOK_EVERY_MS, persistent: false}, look)
  return () => unwatchFile(path, look)
}
