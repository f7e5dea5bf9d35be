import {createCipheriv} from 'node:crypto'
import {setImmediate as turn} from 'node:timers/promises'

/** So much is read, or added up, at a time: less than 1 ms of a core. */
const PIECE_BYTES = 4 * 2 ** 20
/** Pieces that are read while one is added up. */
const AHEAD = 4

/**
 * What tells bytes from others by accident: the tag of AES-GCM over them as data that is not encrypted, under a key of zeros. No
 * other check that Node has natively is as fast: it keeps up with memory (docs/adr/0030).
 */
class Checksum {
  readonly #cipher = createCipheriv('aes-128-gcm', Buffer.alloc(16), Buffer.alloc(12))

  add(bytes: Buffer): void {
    this.#cipher.setAAD(bytes)
  }

  /** 32 hexadecimal digits. */
  end(): string {
    this.#cipher.final()
    return this.#cipher.getAuthTag().toString('hex')
  }
}

/**
 * Reads all of `into`, and adds it up piece by piece while the next ones are read.
 *
 * @param askedForAll is called when the last piece has been asked for
 */
export async function readChecked(
  into: Buffer,
  readInto: (piece: Uint8Array, position: number) => Promise<void>,
  askedForAll: () => void = () => undefined,
): Promise<string> {
  const pieces: Promise<Buffer>[] = []
  const sum = new Checksum()
  let at = 0
  const readNext = (): void => {
    if (at >= into.length) return
    const piece = into.subarray(at, at + PIECE_BYTES)
    const read = readInto(piece, at).then(() => piece)
    // Until it is awaited, its failure must not count as one that nobody hears of.
    read.catch(() => undefined)
    pieces.push(read)
    at += PIECE_BYTES
    if (at >= into.length) askedForAll()
  }
  for (let count = 0; count < AHEAD; count++) readNext()
  try {
    for (let next = pieces.shift(); next; next = pieces.shift()) {
      const piece = await next
      readNext()
      sum.add(piece)
    }
    return sum.end()
  } finally {
    // Whoever gives up must not close what is still read from.
    await Promise.allSettled(pieces)
  }
}

/** The checksum of these bytes, which others may use the thread between pieces of. */
export async function checksumOf(bytes: Buffer): Promise<string> {
  const sum = new Checksum()
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    if (at > 0) await turn()
    sum.add(bytes.subarray(at, at + PIECE_BYTES))
  }
  return sum.end()
}
