import {appendFileSync, chmodSync, readFileSync, writeFileSync} from 'node:fs'
import {homedir} from 'node:os'
import {join} from 'node:path'

/** @see ovg-project/kvcached:kvcached/cli/kvctl.py — the same file */
export const HISTORY_NAME = '.kvctl_history'
const MOST_LINES = 1000
/** Secrets may have been typed. */
const OWNER_ONLY = 0o600

/** Lines typed before; a file that cannot be read or written costs the history, never the shell. */
export interface HistoryFile {
  /** Oldest first. */
  load(): string[]
  /** At once, so that a shell that is killed keeps it. */
  append(line: string): void
}

export function historyFile(folder = homedir()): HistoryFile {
  const path = join(folder, HISTORY_NAME)
  const quietly = <T>(action: () => T, otherwise: T): T => {
    try {
      return action()
    } catch {
      // A home that is read-only, or none at all.
      return otherwise
    }
  }
  return {
    load: () =>
      quietly(() => {
        const all = readFileSync(path, 'utf8').split('\n').filter(Boolean)
        const lines = all.slice(-MOST_LINES)
        chmodSync(path, OWNER_ONLY)
        if (all.length > 2 * MOST_LINES) writeFileSync(path, `${lines.join('\n')}\n`)
        return lines
      }, []),
    append: line => quietly(() => appendFileSync(path, `${line}\n`, {mode: OWNER_ONLY}), undefined),
  }
}
