import {setImmediate as turn} from 'node:timers/promises'
import {crc32} from 'node:zlib'

/** So much is read, or added up, at a time: 2 ms of a core. */
const PIECE_BYTES = 4 * 2 ** 20
/** Pieces that are read while one is added up. */
const AHEAD = 2

/** Reads all of `into`, and its CRC-32 piece by piece while the next ones are read. */
export async function readChecked(
  into: Buffer,
  readInto: (piece: Uint8Array, position: number) => Promise<void>,
): Promise<number> {
  const pieces: Promise<Buffer>[] = []
  let [crc, at] = [0, 0]
  const readNext = (): void => {
    if (at >= into.length) return
    const piece = into.subarray(at, at + PIECE_BYTES)
    const read = readInto(piece, at).then(() => piece)
    // Until it is awaited, its failure must not count as one that nobody hears of.
    read.catch(() => undefined)
    pieces.push(read)
    at += PIECE_BYTES
  }
  for (let count = 0; count < AHEAD; count++) readNext()
  try {
    for (let next = pieces.shift(); next; next = pieces.shift()) {
      const piece = await next
      readNext()
      crc = crc32(piece, crc)
    }
    return crc
  } finally {
    // Whoever gives up must not close what is still read from.
    await Promise.allSettled(pieces)
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
