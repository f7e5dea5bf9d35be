import {open, type FileHandle} from 'node:fs/promises'
import {join} from 'node:path'
import {
  encodeFrame,
  FOOTER_BYTES,
  frameRoom,
  gapsHeader,
  HEADER_BYTES,
  INDEX_ENTRY_BYTES,
  INDEX_MAGIC,
} from './gaps-format.js'
import type {RequestRecord} from './request-record.js'
import {requestLine, REQUESTS_HEADER} from './requests-csv.js'
import type {KeptRecords} from './keep-records.js'
import {RUN_FILES, type RunDirectory} from './run-directory.js'
import {writeFailure} from './write-failure.js'

/** Appends finished requests to `requests.csv` and `gaps.bin`; calls may overlap, batches are written in call order. */
export interface RecordWriter {
  /** @throws ResourceError `DISK_FULL` */
  append(records: readonly RequestRecord[]): Promise<void>
  /** Writes the index of `gaps.bin` and closes both files; must be called once, also after a failed append. */
  close(): Promise<void>
}

/**
 * Starts `requests.csv` and `gaps.bin` of a new run, or goes on with what `keepRecords` left. A batch's gaps are written before its rows, so that after a kill every
 * whole row still finds its gaps.
 *
 * @param originEpochMs wall-clock time of the run's (or the part's) origin, as in `meta.json`
 * @throws ResourceError `DISK_FULL`, `NOT_WRITABLE`
 */
export async function createRecordWriter(
  run: RunDirectory,
  originEpochMs: number,
  kept: KeptRecords | null = null,
): Promise<RecordWriter> {
  const [rowsPath, gapsPath] = [join(run.path, RUN_FILES.requests), join(run.path, RUN_FILES.gaps)]
  const rows = await (kept === null
    ? AppendedFile.create(rowsPath, Buffer.from(REQUESTS_HEADER))
    : AppendedFile.reopen(rowsPath))
  const gaps = await (kept === null
    ? AppendedFile.create(gapsPath, gapsHeader())
    : AppendedFile.reopen(gapsPath))
  const frames = [...(kept?.frames ?? [])]
  let offset = kept?.gapsBytes ?? HEADER_BYTES
  let tail: Promise<void> = Promise.resolve()

  const write = async (records: readonly RequestRecord[]): Promise<void> => {
    const encoded = encodeFrames(records, (id, at) => frames.push({id, offset: offset + at}))
    if (encoded.length > 0) await gaps.append(encoded)
    offset += encoded.length
    await rows.append(Buffer.from(records.map(record => requestLine(record, originEpochMs)).join('')))
  }
  return {
    append(records) {
      if (records.length === 0) return tail
      tail = tail.then(() => write(records))
      return tail
    },
    async close() {
      try {
        await tail
        await gaps.append(encodeIndex(frames, offset))
      } finally {
        await Promise.all([rows.close(), gaps.close()])
      }
    },
  }
}

function encodeFrames(records: readonly RequestRecord[], onFrame: (id: number, at: number) => void): Buffer {
  const room = records.reduce((sum, {gapsUs, chunkTokens}) => sum + frameRoom(gapsUs, chunkTokens), 0)
  const buffer = Buffer.allocUnsafe(room)
  let end = 0
  for (const {id, gapsUs, chunkTokens} of records) {
    if (gapsUs.length === 0) continue
    onFrame(id, end)
    end = encodeFrame(buffer, end, id, gapsUs, severalIn(chunkTokens))
  }
  return buffer.subarray(0, end)
}

/** Of chunks with one token each nothing needs to be kept. */
function severalIn(chunkTokens: Uint32Array | null): Uint32Array | null {
  return chunkTokens?.some(tokens => tokens !== 1) === true ? chunkTokens : null
}

function encodeIndex(frames: readonly {id: number; offset: number}[], indexOffset: number): Buffer {
  const buffer = Buffer.allocUnsafe(frames.length * INDEX_ENTRY_BYTES + FOOTER_BYTES)
  let end = 0
  for (const {id, offset} of frames.toSorted((left, right) => left.id - right.id)) {
    buffer.writeUInt32LE(id, end)
    buffer.writeBigUInt64LE(BigInt(offset), end + 4)
    end += INDEX_ENTRY_BYTES
  }
  buffer.writeBigUInt64LE(BigInt(indexOffset), end)
  buffer.writeUInt32LE(frames.length, end + 8)
  buffer.write(INDEX_MAGIC, end + 12, 'latin1')
  return buffer
}

class AppendedFile {
  readonly #path: string
  readonly #file: FileHandle

  private constructor(path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
  }

  static async create(path: string, head: Buffer): Promise<AppendedFile> {
    try {
      const file = new AppendedFile(path, await open(path, 'wx'))
      await file.append(head)
      return file
    } catch (error) {
      throw writeFailure(error, path)
    }
  }

  static async reopen(path: string): Promise<AppendedFile> {
    try {
      return new AppendedFile(path, await open(path, 'a'))
    } catch (error) {
      throw writeFailure(error, path)
    }
  }

  async append(bytes: Buffer): Promise<void> {
    try {
      await this.#file.appendFile(bytes)
    } catch (error) {
      throw writeFailure(error, this.#path)
    }
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}
