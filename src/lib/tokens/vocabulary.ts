import {CONTENT_WORDS, FRAGMENTS, FUNCTION_WORDS} from './words.js'

/** Ids 0–255 are bytes, then these, then text pieces; ids never move between releases without a new tokenizer name. */
export const SPECIAL_TOKENS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'] as const
export const EOS_TOKEN_ID = 256
export const TURN_START_TOKEN_ID = 257
export const TURN_END_TOKEN_ID = 258
const FIRST_PIECE_ID = 259

/** What a model needs to know of a tokenizer. */
export interface Vocabulary {
  readonly size: number
  readonly eosTokenId: number
  /** Ids that read as words and punctuation when strung together in any order; frequent ones are listed more than once. */
  readonly sampleable: Uint32Array
}

export interface PieceTable {
  readonly vocabulary: Vocabulary
  /** Piece by `id - 259`; printable or whitespace ASCII only, so that a piece never touches a UTF-8 sequence. */
  readonly pieces: readonly string[]
  readonly idOf: ReadonlyMap<string, number>
  /** Characters of the longest piece. */
  readonly longestPiece: number
}

const PUNCTUATION = `
" ( ) [ ] { } < > = + - * / & | ! ? ; # $ % @ ~ ^ _ \\ \` == => -> != <= >= && || -- // /* */ :: () [] {} (" ") {" "} ":
"; (' ') '); '; ); ); }; }) }, ), ", +\\ ]( :// \`\`\` ** ## ### ----
`

/** Builds the table once; about 6,000 pieces in some milliseconds. */
export function buildPieceTable(): PieceTable {
  const idOf = new Map<string, number>()
  const pieces: string[] = []
  const add = (piece: string): number => {
    const known = idOf.get(piece)
    if (known !== undefined) return known
    idOf.set(piece, FIRST_PIECE_ID + pieces.length)
    pieces.push(piece)
    return FIRST_PIECE_ID + pieces.length - 1
  }

  const common = FUNCTION_WORDS.map(word => add(` ${word}`))
  const content = CONTENT_WORDS.map(word => add(` ${word}`))
  const [comma, stop] = [add(','), add('.')]
  for (const word of [...FUNCTION_WORDS, ...CONTENT_WORDS]) {
    const capital = word[0]!.toUpperCase() + word.slice(1)
    for (const piece of [word, ` ${capital}`, capital]) if (piece.length > 1) add(piece)
  }
  for (const fragment of FRAGMENTS) add(fragment)
  for (const mark of PUNCTUATION.trim().split(/\s+/)) {
    if (mark.length > 1) add(mark)
    add(` ${mark}`)
  }
  for (const mark of ["'s", "'t", "'re", "'ve", "'ll", "'d", "'m", "n't", ' .', ' ,', ' :', ':', " '"])
    add(mark)
  for (const width of [2, 3, 4, 5, 6, 7, 8, 12, 16]) add(' '.repeat(width))
  for (const blank of ['\n\n', '\n\n\n', '\r\n', '\t\t', '\n  ', '\n    ']) add(blank)
  for (let number = 0; number < 100; number++) add(String(number).padStart(2, '0'))
  const letters = 'abcdefghijklmnopqrstuvwxyz'
  for (const first of `${letters}${letters.toUpperCase()}0123456789`) add(` ${first}`)
  for (const first of letters) for (const second of letters) add(first + second)

  // Function words thrice and a mark about every ninth token: the proportions of plain prose, roughly.
  const words = [...common, ...common, ...common, ...content]
  const marks = Math.round(words.length / 18)
  const sampleable = [...words, ...Array<number>(marks).fill(comma), ...Array<number>(marks).fill(stop)]
  return {
    vocabulary: {
      size: FIRST_PIECE_ID + pieces.length,
      eosTokenId: EOS_TOKEN_ID,
      sampleable: Uint32Array.from(sampleable),
    },
    pieces,
    idOf,
    longestPiece: Math.max(...pieces.map(piece => piece.length)),
  }
}

/** @returns the text of a piece id; undefined for bytes, special tokens and ids outside the vocabulary */
export function pieceOf(table: PieceTable, id: number): string | undefined {
  return table.pieces[id - FIRST_PIECE_ID]
}
