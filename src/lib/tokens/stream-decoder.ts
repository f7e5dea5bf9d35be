import {pieceOf, type PieceTable} from './vocabulary.js'

/** Turns token ids into text as they come; never gives half a UTF-8 sequence. */
export interface StreamDecoder {
  push(ids: readonly number[]): string
  /** What is left of a sequence that never became whole, as U+FFFD. */
  end(): string
}

/**
 * Special tokens and ids outside the vocabulary give no text.
 *
 * @param special gives the text of special tokens where they are wanted
 */
export function createStreamDecoder(table: PieceTable, special?: (id: number) => string): StreamDecoder {
  const utf8 = new TextDecoder('utf-8', {ignoreBOM: true})
  let isMidSequence = false
  const text = (piece: string): string => {
    if (!isMidSequence) return piece
    isMidSequence = false
    return utf8.decode(Buffer.from(piece, 'latin1'), {stream: true})
  }
  return {
    push(ids) {
      let out = ''
      for (let at = 0; at < ids.length; at++) {
        const id = ids[at]!
        const piece = pieceOf(table, id)
        if (piece !== undefined) {
          out += text(piece)
        } else if (id < 256) {
          let end = at + 1
          while (end < ids.length && ids[end]! < 256) end++
          out += utf8.decode(Uint8Array.from(ids.slice(at, end)), {stream: true})
          isMidSequence = ids[end - 1]! >= 0x80
          at = end - 1
        } else if (special) {
          out += text(special(id))
        }
      }
      return out
    },
    end() {
      isMidSequence = false
      return utf8.decode()
    },
  }
}
