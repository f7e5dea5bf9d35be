import {closeSync, openSync, renameSync, writeSync} from 'node:fs'
import {join} from 'node:path'
import {isSystemError} from '../foundation/index.js'
import {fieldThousandths, scanCsv, type CsvRow} from './csv-scanner.js'
import {encodeFrame, frameRoom, gapsHeader, HEADER_BYTES} from './gaps-format.js'
import {readGaps} from './read-gaps.js'
import {REQUESTS_HEADER} from './requests-csv.js'
import {RUN_FILES, type RunDirectory} from './run-directory.js'
import {writeFailure} from './write-failure.js'

/** Where each kept frame of `gaps.bin` lies, and where the next one goes. */
export interface KeptRecords {
  readonly frames: readonly {readonly id: number; readonly offset: number}[]
  readonly gapsBytes: number
}

const FLUSH_BYTES = 1 << 20
const LINE_FEED = 0x0a

/**
 * Rewrites `requests.csv` and `gaps.bin` with the whole records of the wanted requests only, so that a writer can go on
 * behind them: a torn last row, a torn frame, the index, and gaps whose row was never written are dropped. Each file is
 * replaced in one step, gaps first, so that a kill in between leaves every wanted row with its gaps.
 *
 * @throws ResourceError `DISK_FULL`, `NOT_WRITABLE`
 * @throws ConfigurationError `RUN_UNREADABLE`
 */
export async function keepRecords(run: RunDirectory, ids: ReadonlySet<number>): Promise<KeptRecords> {
  const kept = await keepGaps(run, ids)
  await keepRows(run, ids)
  return kept
}

async function keepGaps(run: RunDirectory, ids: ReadonlySet<number>): Promise<KeptRecords> {
  const frames: {id: number; offset: number}[] = []
  const left = new Set(ids)
  let offset = HEADER_BYTES
  await replaceFile(join(run.path, RUN_FILES.gaps), async write => {
    write(gapsHeader())
    await readGaps(run, (id, gapsUs, chunkTokens) => {
      if (!left.delete(id)) return
      const frame = Buffer.allocUnsafe(frameRoom(gapsUs, chunkTokens))
      const end = encodeFrame(frame, 0, id, gapsUs, chunkTokens)
      write(frame.subarray(0, end))
      frames.push({id, offset})
      offset += end
    })
  })
  return {frames, gapsBytes: offset}
}

async function keepRows(run: RunDirectory, ids: ReadonlySet<number>): Promise<void> {
  const path = join(run.path, RUN_FILES.requests)
  const left = new Set(ids)
  await replaceFile(path, async write => {
    write(Buffer.from(REQUESTS_HEADER))
    try {
      // The header's id is no number, so that it is left out like an unwanted row.
      await scanCsv(path, row => {
        if (row.isTerminated && left.delete(fieldThousandths(row, 0) / 1000)) write(bytesOf(row))
      })
    } catch (error) {
      // Killed before the first record: there is nothing to keep.
      if (!isSystemError(error, 'ENOENT')) throw error
    }
  })
}

/** The whole line, its end included; a line begins with its id, which stands in no quotes. */
function bytesOf({buffer, length, starts, ends}: CsvRow): Buffer {
  return buffer.subarray(starts[0], buffer.indexOf(LINE_FEED, ends[length - 1]) + 1)
}

/** @param fill gets a function that takes over the bytes it is given */
async function replaceFile(
  path: string,
  fill: (write: (bytes: Uint8Array) => void) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.resume.tmp`
  try {
    const file = openSync(temporary, 'w')
    try {
      const buffer = Buffer.allocUnsafe(FLUSH_BYTES)
      let filled = 0
      const flush = (): void => {
        writeWhole(file, buffer.subarray(0, filled))
        filled = 0
      }
      await fill(bytes => {
        if (filled + bytes.length > FLUSH_BYTES) flush()
        if (bytes.length > FLUSH_BYTES) {
          writeWhole(file, bytes)
          return
        }
        buffer.set(bytes, filled)
        filled += bytes.length
      })
      flush()
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    throw writeFailure(error, path)
  }
}

function writeWhole(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
}
