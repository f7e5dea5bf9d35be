import {setImmediate as turn} from 'node:timers/promises'
import {crc32} from 'node:zlib'

/** So much is read, or added up, at a time: 2 ms of a core, while the next piece is under way. */
const PIECE_BYTES = 4 * 2 ** 20

/** Reads all of `into`, and its CRC-32 piece by piece while the next one is read. */
export async function readChecked(
  into: Buffer,
  readInto: (piece: Uint8Array, position: number) => Promise<void>,
): Promise<number> {
  const read = async (at: number): Promise<Buffer | null> => {
    if (at >= into.length) return null
    const piece = into.subarray(at, at + PIECE_BYTES)
    await readInto(piece, at)
    return piece
  }
  let crc = 0
  let next = read(0)
  for (let at = PIECE_BYTES; ; at += PIECE_BYTES) {
    const piece = await next
    if (piece === null) return crc
    next = read(at)
    // Whoever stops waiting here leaves no failure without a listener.
    next.catch(() => undefined)
    crc = crc32(piece, crc)
  }
}

/** CRC-32 of these bytes, which others may use the thread between pieces of. */
export async function checksum(bytes: Buffer): Promise<number> {
  let crc = 0
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    if (at > 0) await turn()
    crc = crc32(bytes.subarray(at, at + PIECE_BYTES), crc)
  }
  return crc
}
