import {appendFile, readFile, rename, writeFile} from 'node:fs/promises'
import {isSystemError} from '../foundation/index.js'
import {isDtype} from './core/dtypes.js'
import {MEMORY_FORMATS, type ChunkLayout, type MemoryFormat} from './core/memory-format.js'
import type {ChunkKey} from './storage-backend.js'

/** What a chunk's file of the local disk holds; the file itself says nothing. */
export interface DiskEntry {
  readonly key: ChunkKey
  readonly layout: ChunkLayout
  /** Of the bytes; null for files of others, which have none. */
  readonly checksum: string | null
}

/**
 * One line a chunk that was written or removed, beside upstream's files without headers: what upstream forgets when it
 * restarts. A line is written after its file is whole, so what stands here can be read; a torn last line is not there.
 */
export class DiskJournal {
  readonly #path: string
  /** Lines are short; the system appends each as a whole. */
  #pending: Promise<void> = Promise.resolve()
  /** The last line may lack its end: its process was killed, or its disk full, while it was written. */
  #isTorn = false

  constructor(path: string) {
    this.#path = path
  }

  /** The chunks of which the last line says that they are there, in order of their lines. */
  async read(): Promise<Map<string, DiskEntry>> {
    const entries = new Map<string, DiskEntry>()
    let text: string
    try {
      text = await readFile(this.#path, 'utf8')
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return entries
      throw error
    }
    this.#isTorn = text !== '' && !text.endsWith('\n')
    for (const line of text.split('\n')) {
      const parsed = parseLine(line)
      if (parsed === null) continue
      entries.delete(parsed.key.text)
      if (parsed.entry !== null) entries.set(parsed.key.text, parsed.entry)
    }
    return entries
  }

  /** Puts a journal of these entries alone in the place of this one. */
  async rewrite(entries: Iterable<DiskEntry>): Promise<void> {
    const next = `${this.#path}.tmp`
    await writeFile(next, [...entries].map(lineOf).join(''))
    await rename(next, this.#path)
    this.#isTorn = false
  }

  async added(entry: DiskEntry): Promise<void> {
    await this.#append(lineOf(entry))
  }

  async removed(key: ChunkKey): Promise<void> {
    await this.#append(`${JSON.stringify({gone: key.text, hash: key.hash, tokens: key.tokens})}\n`)
  }

  async #append(line: string): Promise<void> {
    const written = this.#pending.then(async () => {
      const text = this.#isTorn ? `\n${line}` : line
      this.#isTorn = true
      await appendFile(this.#path, text)
      this.#isTorn = false
    })
    this.#pending = written.catch(() => undefined)
    await written
  }
}

function lineOf({key, layout, checksum}: DiskEntry): string {
  const tensors = layout.tensors.map(({dtype, shape}) => [dtype, shape])
  return `${JSON.stringify({key: key.text, hash: key.hash, tokens: key.tokens, format: layout.format, tensors, checksum})}\n`
}

function parseLine(line: string): {key: ChunkKey; entry: DiskEntry | null} | null {
  if (!line.startsWith('{') || !line.endsWith('}')) return null
  let read: Record<string, unknown>
  try {
    read = JSON.parse(line) as Record<string, unknown>
  } catch {
    // Torn by the end of its process.
    return null
  }
  const {key: added, gone, hash, tokens, format, tensors, checksum} = read
  const text = added ?? gone
  if (typeof text !== 'string' || typeof hash !== 'string' || typeof tokens !== 'number') return null
  const key = {text, hash, tokens}
  if (gone !== undefined) return {key, entry: null}
  if (!MEMORY_FORMATS.includes(format as MemoryFormat) || !Array.isArray(tensors)) return null
  const layouts = (tensors as unknown[]).map(tensorOf)
  if (!layouts.every(layout => layout !== null)) return null
  return {
    key,
    entry: {
      key,
      layout: {format: format as MemoryFormat, tensors: layouts},
      checksum: typeof checksum === 'string' ? checksum : null,
    },
  }
}

function tensorOf(value: unknown): ChunkLayout['tensors'][number] | null {
  const [dtype, shape] = Array.isArray(value) ? (value as unknown[]) : []
  if (typeof dtype !== 'string' || !isDtype(dtype) || !Array.isArray(shape)) return null
  const isWhole = (shape as unknown[]).every(size => Number.isSafeInteger(size) && (size as number) > 0)
  return isWhole ? {dtype, shape: shape as number[]} : null
}
