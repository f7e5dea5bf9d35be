import {createStreamDecoder, type StreamDecoder} from './stream-decoder.js'
import {
  buildPieceTable,
  EOS_TOKEN_ID,
  pieceOf,
  SPECIAL_TOKENS,
  TURN_END_TOKEN_ID,
  TURN_START_TOKEN_ID,
  type PieceTable,
  type Vocabulary,
} from './vocabulary.js'

/** One turn of a conversation, its content as plain text. */
export interface Turn {
  readonly role: string
  readonly content: string
}

export interface ChatTemplateOptions {
  /** Ends with the head of an assistant turn, ready to be answered. */
  readonly addGenerationPrompt: boolean
  /** Leaves the last turn open, so that the answer goes on where it ends. */
  readonly continueFinalMessage: boolean
}

export interface Tokenizer {
  readonly name: string
  readonly vocabulary: Vocabulary
  encode(text: string): number[]
  /** Fewest tokens `text` can have; cheap, for refusing a text that is far too long before encoding it. */
  leastTokens(text: string): number
  /** ChatML: each turn between a start and an end token. Text that looks like those tokens stays text. */
  encodeChat(turns: readonly Turn[], options: ChatTemplateOptions): number[]
  /** All text at once, special tokens spelled out; ids outside the vocabulary give nothing. */
  decode(ids: readonly number[]): string
  createDecoder(): StreamDecoder
  /** The bytes one token stands for. */
  tokenBytes(id: number): Uint8Array
}

// The pre-tokenizer pattern of GPT-2: contractions, words, numbers and marks with at most one leading space, then blanks.
// @see openai/gpt-2:src/encoder.py
const PRE_TOKENS = /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu

/**
 * The built-in tokenizer: no download, no state, about four characters of English a token, and reversible for every
 * string without lone surrogates (those become U+FFFD, as UTF-8 cannot hold them).
 */
export function createBuiltinTokenizer(): Tokenizer {
  const table = (shared ??= buildPieceTable())
  const special = (id: number): string => SPECIAL_TOKENS[id - EOS_TOKEN_ID] ?? ''
  const encode = (text: string): number[] => {
    const ids: number[] = []
    for (const match of text.matchAll(PRE_TOKENS)) encodePreToken(table, match[0], ids)
    return ids
  }
  return {
    name: 'kvctl-builtin-1',
    vocabulary: table.vocabulary,
    encode,
    leastTokens: text => Math.ceil(text.length / table.longestPiece),
    encodeChat(turns, {addGenerationPrompt, continueFinalMessage}) {
      const ids: number[] = []
      turns.forEach((turn, index) => {
        ids.push(TURN_START_TOKEN_ID, ...encode(`${turn.role}\n`))
        for (const id of encode(turn.content)) ids.push(id)
        if (continueFinalMessage && index === turns.length - 1) return
        ids.push(TURN_END_TOKEN_ID, ...encode('\n'))
      })
      if (addGenerationPrompt) ids.push(TURN_START_TOKEN_ID, ...encode('assistant\n'))
      return ids
    },
    decode(ids) {
      const decoder = createStreamDecoder(table, special)
      return decoder.push(ids) + decoder.end()
    },
    createDecoder: () => createStreamDecoder(table),
    tokenBytes: id =>
      id < 256 ? Uint8Array.of(id) : Buffer.from(pieceOf(table, id) ?? special(id), 'latin1'),
  }
}

let shared: PieceTable | null = null

/** The piece itself when it is in the table, else the longest pieces from the left, else bytes. */
function encodePreToken(table: PieceTable, text: string, ids: number[]): void {
  const whole = table.idOf.get(text)
  if (whole !== undefined) {
    ids.push(whole)
    return
  }
  let at = 0
  while (at < text.length) {
    const code = text.codePointAt(at)!
    if (code >= 0x80) {
      const character = String.fromCodePoint(code)
      for (const byte of Buffer.from(character)) ids.push(byte)
      at += character.length
      continue
    }
    let length = Math.min(table.longestPiece, text.length - at)
    let id: number | undefined
    for (; length > 1; length--) {
      id = table.idOf.get(text.slice(at, at + length))
      if (id !== undefined) break
    }
    ids.push(id ?? table.idOf.get(text[at]!) ?? code)
    at += id === undefined ? 1 : length
  }
}
