import {Dice} from './dice.js'
import type {Grammar} from './grammar.js'
import {speak} from './speak.js'

export interface GuideOptions {
  readonly grammar: Grammar
  /** Share of texts that follow the grammar; the others are free. */
  readonly share: number
  readonly encode: (text: string) => number[]
  /** What text inside a grammar is made of; ASCII letters only. */
  readonly words: readonly string[]
}

/** Tokens of one text of a grammar, chosen as they are asked for. */
export interface GrammarGuide {
  /**
   * @param digest 32 bits that decide between what may come
   * @returns a token; `end` once the text is complete; `free` for a text that follows no grammar
   */
  next(digest: number): number | 'end' | 'free'
}

export function createGuide({grammar, share, encode, words}: GuideOptions): GrammarGuide {
  const dice = new Dice()
  const pieces = speak(grammar.root, 0, {grammar, dice, words})
  let isFree: boolean | null = share >= 1 ? false : null
  let tokens: number[] = []
  let at = 0
  return {
    next(digest) {
      dice.load(digest)
      isFree ??= !dice.isWithin(share)
      if (isFree) return 'free'
      if (at === tokens.length) {
        const piece = pieces.next()
        if (piece.done) return 'end'
        tokens = encode(piece.value)
        at = 0
      }
      return tokens[at++]!
    },
  }
}
