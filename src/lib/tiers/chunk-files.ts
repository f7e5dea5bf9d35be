import {constants} from 'node:fs'
import {mkdir, open, readdir, rename, rm, type FileHandle} from 'node:fs/promises'
import {earlyWriteback} from './early-writeback.js'
import {PAGE_BYTES} from './page-memory.js'

/**
 * How bytes get to a file and back: through the system's page cache, or past it, for which memory, places and lengths must be whole
 * pages and which a file system may refuse with EINVAL.
 */
export type Passage = 'cached' | 'direct'

/** What is done with an open file of so many bytes, whose bytes `readInto` gives. */
export type FileUse<T> = (
  bytes: number,
  readInto: (into: Uint8Array, position: number) => Promise<void>,
) => Promise<T>

/** What a tier asks of a file system; tests put faults here. */
export interface ChunkFiles {
  makeFolder(path: string): Promise<void>
  names(folder: string): Promise<string[]>
  /** Writes the parts behind each other, all or nothing as far as the caller sees: on failure nothing is left at `path`. */
  write(path: string, parts: readonly Uint8Array[], passage?: Passage): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Also where there is nothing. */
  remove(path: string): Promise<void>
  /** Opens, hands over the size and a reader, and closes. @throws system errors, ENOENT among them */
  read<T>(path: string, use: FileUse<T>, passage?: Passage): Promise<T>
}

/** So much goes into the page cache before the device begins with it; smaller files are left to the system. */
const PIECE_BYTES = 8 * 2 ** 20
const LEAST_EARLY_BYTES = 2 ** 20

const {O_CREAT, O_DIRECT, O_RDONLY, O_TRUNC, O_WRONLY} = constants
const FLAGS: Readonly<Record<Passage, number>> = {cached: 0, direct: O_DIRECT}

export const chunkFiles: ChunkFiles = {
  async makeFolder(path) {
    await mkdir(path, {recursive: true})
  },
  names: async folder => readdir(folder),
  async write(path, parts, passage = 'cached') {
    try {
      const file = await open(path, O_WRONLY | O_CREAT | O_TRUNC | FLAGS[passage])
      try {
        const bytes = parts.reduce((sum, part) => sum + part.length, 0)
        if (passage === 'cached' && bytes >= LEAST_EARLY_BYTES) await writeInPieces(file, path, parts)
        else mustBeAll((await file.writev([...parts])).bytesWritten, bytes)
      } finally {
        await file.close()
      }
    } catch (error) {
      await rm(path, {force: true})
      throw error
    }
  },
  rename,
  remove: async path => rm(path, {force: true}),
  async read(path, use, passage = 'cached') {
    const file = await open(path, O_RDONLY | FLAGS[passage])
    try {
      const {size} = await file.stat()
      return await use(size, async (into, position) => {
        for (let at = 0; at < into.length;) {
          const {bytesRead} = await file.read(into, at, into.length - at, position + at)
          // Past the page cache only the file's end is no whole page.
          if (bytesRead === 0 || (passage === 'direct' && bytesRead % PAGE_BYTES !== 0))
            throw new Error(`the file ends ${into.length - at - bytesRead} bytes early`)
          at += bytesRead
        }
      })
    } finally {
      await file.close()
    }
  },
}

/** Through the page cache, with the device at work behind it. */
async function writeInPieces(file: FileHandle, path: string, parts: readonly Uint8Array[]): Promise<void> {
  const dirty = await earlyWriteback.follow(path)
  let isKept = false
  try {
    for (const part of parts) {
      for (let at = 0; at < part.length; at += PIECE_BYTES) {
        const bytes = Math.min(PIECE_BYTES, part.length - at)
        mustBeAll((await file.write(part, at, bytes)).bytesWritten, bytes)
        dirty.grew()
      }
    }
    isKept = true
  } finally {
    dirty.end(isKept)
  }
}

/** @throws when a full disk took a part without an error */
function mustBeAll(written: number, bytes: number): void {
  if (written !== bytes) throw new Error(`only ${written} of ${bytes} bytes could be written`)
}
