import {open, type FileHandle} from 'node:fs/promises'
import {join} from 'node:path'
import {ConfigurationError, isSystemError} from '../foundation/index.js'
import {
  decodePayload,
  FRAME_HEADER_BYTES,
  GAPS_MAGIC,
  GAPS_VERSION,
  HAS_TOKENS,
  HEADER_BYTES,
  FOOTER_BYTES,
  INDEX_MAGIC,
  MAX_VARINT_BYTES,
  NS_PER_UNIT,
} from './gaps-format.js'
import {RUN_FILES, type RunDirectory} from './run-directory.js'

const READ_BYTES = 4 << 20

/** What became of reading: `isWhole` is false when the file broke off or holds a frame that makes no sense. */
export interface GapsSummary {
  readonly requests: number
  readonly isWhole: boolean
}

export type GapsReader = (id: number, gapsUs: Uint32Array, chunkTokens: Uint32Array | null) => void

/**
 * Hands out every request's gaps in file order, through one buffer.
 *
 * @param onRequest gets the id and views, valid only during the call, of its gaps in µs and of the tokens of its chunks, one
 *   more than gaps; null where the server did not say them, or each had one
 * @returns null when the run has no `gaps.bin`
 * @throws ConfigurationError `RUN_UNREADABLE` when the file is not one, or of a later version
 */
export async function readGaps(run: RunDirectory, onRequest: GapsReader): Promise<GapsSummary | null> {
  const path = join(run.path, RUN_FILES.gaps)
  let file: FileHandle
  try {
    file = await open(path)
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return null
    throw error
  }
  try {
    const {size} = await file.stat()
    const header = Buffer.alloc(HEADER_BYTES)
    const {bytesRead} = await file.read(header, 0, HEADER_BYTES, 0)
    checkHeader(header.subarray(0, bytesRead), path)
    const framesEnd = await endOfFrames(file, size)
    return await readFrames(file, framesEnd ?? size, framesEnd !== null, onRequest, run.onRead)
  } finally {
    await file.close()
  }
}

function checkHeader(header: Buffer, path: string): void {
  const unreadable = (why: string): ConfigurationError =>
    new ConfigurationError('RUN_UNREADABLE', `${path} ${why}`)
  if (header.length < HEADER_BYTES || header.toString('latin1', 0, 8) !== GAPS_MAGIC)
    throw unreadable('is not a gaps file')
  const version = header.readUInt32LE(8)
  if (version < 1 || version > GAPS_VERSION)
    throw unreadable(`has version ${version}; this kvctl reads versions up to ${GAPS_VERSION}`)
  const unit = header.readUInt32LE(12)
  if (unit !== NS_PER_UNIT) throw unreadable(`counts in units of ${unit} ns instead of ${NS_PER_UNIT}`)
}

/** Where the index begins; null without a footer, as after a kill. */
async function endOfFrames(file: FileHandle, size: number): Promise<number | null> {
  if (size < HEADER_BYTES + FOOTER_BYTES) return null
  const footer = Buffer.alloc(FOOTER_BYTES)
  await file.read(footer, 0, FOOTER_BYTES, size - FOOTER_BYTES)
  if (footer.toString('latin1', 12, 20) !== INDEX_MAGIC) return null
  const at = Number(footer.readBigUInt64LE(0))
  return at >= HEADER_BYTES && at <= size - FOOTER_BYTES ? at : null
}

async function readFrames(
  file: FileHandle,
  end: number,
  hasIndex: boolean,
  onRequest: GapsReader,
  onRead: RunDirectory['onRead'],
): Promise<GapsSummary> {
  let buffer = Buffer.allocUnsafe(READ_BYTES)
  let [gaps, tokens] = [new Uint32Array(4096), new Uint32Array(4096)]
  let [position, filled, requests] = [HEADER_BYTES, 0, 0]
  for (;;) {
    const {bytesRead} = await file.read(
      buffer,
      filled,
      Math.min(buffer.length - filled, end - position),
      position,
    )
    position += bytesRead
    filled += bytesRead
    onRead?.(bytesRead)
    let at = 0
    while (at + FRAME_HEADER_BYTES <= filled) {
      const counted = buffer.readUInt32LE(at + 4)
      const hasTokens = counted >= HAS_TOKENS
      const count = counted % HAS_TOKENS
      const values = hasTokens ? 2 * count + 1 : count
      const payloadBytes = buffer.readUInt32LE(at + 8)
      if (payloadBytes < values || payloadBytes > values * MAX_VARINT_BYTES) return {requests, isWhole: false}
      const next = at + FRAME_HEADER_BYTES + payloadBytes
      if (next > filled) break
      if (count >= gaps.length) [gaps, tokens] = [new Uint32Array(2 * count), new Uint32Array(2 * count)]
      if (!decodePayload(buffer, at + FRAME_HEADER_BYTES, next, gaps, count, hasTokens ? tokens : null))
        return {requests, isWhole: false}
      onRequest(
        buffer.readUInt32LE(at),
        gaps.subarray(0, count),
        hasTokens ? tokens.subarray(0, count + 1) : null,
      )
      requests++
      at = next
    }
    if (bytesRead === 0) return {requests, isWhole: hasIndex && at === filled}
    if (at === 0 && filled === buffer.length) {
      const needed = FRAME_HEADER_BYTES + buffer.readUInt32LE(8)
      // A frame that says it is larger than the rest of the file was torn: growing for it would be for nothing.
      if (needed - filled > end - position) return {requests, isWhole: false}
      const larger = Buffer.allocUnsafe(2 * needed)
      buffer.copy(larger)
      buffer = larger
    } else {
      buffer.copyWithin(0, at, filled)
      filled -= at
    }
  }
}
