import {constants} from 'node:fs'
import {open, type FileHandle} from 'node:fs/promises'
import {libc} from '../../native/libc.js'

/**
 * Files that may wait for their turn: few, because one that is removed meanwhile takes its room until then. Whatever is left out
 * the system writes when it likes, as ever.
 */
const MAX_WAITING = 8

/** A file that is being written through the page cache. */
export interface DirtyFile {
  /** There is more of it in the page cache. */
  grew(): void
  /** Nothing more comes. @param isKept false for a file that is thrown away */
  end(isKept: boolean): void
}

const LEFT_TO_THE_SYSTEM: DirtyFile = {grew() {}, end() {}}

/**
 * Has the device begin with files while they are copied into the page cache: by itself the system leaves them there for half a
 * minute, and the device idle. Nobody waits for it and one call is under way at a time, so that a slow device still takes a
 * burst at the speed of the page cache, and holds one of libuv's threads at most.
 */
class EarlyWriteback {
  readonly #waiting = new Set<FileHandle>()
  readonly #ended = new Set<FileHandle>()
  #current: FileHandle | null = null

  /** @param path of a file that is open for writing */
  async follow(path: string): Promise<DirtyFile> {
    // A descriptor of its own: the writer's is closed by the writer, who must hear of what that fails with.
    const file = await open(path, constants.O_RDONLY).catch(() => null)
    if (file === null) return LEFT_TO_THE_SYSTEM
    return {
      grew: () => this.#wait(file),
      end: isKept => {
        this.#ended.add(file)
        if (isKept) this.#wait(file)
        else this.#waiting.delete(file)
        this.#closeIfDone(file)
      },
    }
  }

  #wait(file: FileHandle): void {
    if (this.#waiting.size >= MAX_WAITING) return
    this.#waiting.add(file)
    if (this.#current === null) void this.#work()
  }

  async #work(): Promise<void> {
    for (const file of this.#waiting) {
      this.#waiting.delete(file)
      this.#current = file
      // A file system that cannot is one that does as ever.
      await libc.startWriteback(file.fd).catch(() => undefined)
      this.#current = null
      this.#closeIfDone(file)
    }
  }

  #closeIfDone(file: FileHandle): void {
    if (this.#current === file || this.#waiting.has(file) || !this.#ended.delete(file)) return
    // Nothing was written to it.
    file.close().catch(() => undefined)
  }
}

export const earlyWriteback = new EarlyWriteback()
