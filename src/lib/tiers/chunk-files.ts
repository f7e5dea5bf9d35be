import {mkdir, open, readdir, rename, rm} from 'node:fs/promises'

/** What a tier asks of a file system; tests put faults here. */
export interface ChunkFiles {
  makeFolder(path: string): Promise<void>
  names(folder: string): Promise<string[]>
  /** Writes the parts behind each other, all or nothing as far as the caller sees: on failure nothing is left at `path`. */
  write(path: string, parts: readonly Uint8Array[]): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Also where there is nothing. */
  remove(path: string): Promise<void>
  /** Opens, hands over the size and a reader, and closes. @throws system errors, ENOENT among them */
  read<T>(
    path: string,
    use: (bytes: number, readInto: (into: Uint8Array, position: number) => Promise<void>) => Promise<T>,
  ): Promise<T>
}

export const chunkFiles: ChunkFiles = {
  async makeFolder(path) {
    await mkdir(path, {recursive: true})
  },
  names: async folder => readdir(folder),
  async write(path, parts) {
    try {
      const file = await open(path, 'w')
      try {
        const bytes = parts.reduce((sum, part) => sum + part.length, 0)
        const {bytesWritten} = await file.writev([...parts])
        // A full disk may take a part of it without an error.
        if (bytesWritten !== bytes) throw new Error(`only ${bytesWritten} of ${bytes} bytes could be written`)
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
  async read(path, use) {
    const file = await open(path, 'r')
    try {
      const {size} = await file.stat()
      return await use(size, async (into, position) => {
        for (let at = 0; at < into.length;) {
          const {bytesRead} = await file.read(into, at, into.length - at, position + at)
          if (bytesRead === 0) throw new Error(`the file ends ${into.length - at} bytes early`)
          at += bytesRead
        }
      })
    } finally {
      await file.close()
    }
  },
}
