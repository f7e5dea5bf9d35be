import type {TokenGuide} from '../../lib/engine/index.js'
import {ConfigurationError} from '../../lib/foundation/index.js'
import {createGrammar, createGuide, type GrammarNode} from '../../lib/grammar/index.js'
import type {Tokenizer} from '../../lib/tokens/index.js'
import {ApiError} from '../api-error.js'

/** Begins a guide for every answer of a request. */
export type StartGuide = () => TokenGuide

/**
 * @param read gives the grammar that the answers must follow
 * @param share of answers that follow it; the others are free text
 * @param what names the constraint to whoever sent it
 * @throws ApiError 400 when there is no such grammar
 */
export function planGuide(
  read: () => GrammarNode,
  share: number,
  tokenizer: Tokenizer,
  what: string,
  param: string,
): StartGuide {
  try {
    const grammar = createGrammar(read())
    const words = wordsOf(tokenizer)
    return () => createGuide({grammar, share, encode: text => tokenizer.encode(text), words})
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    throw new ApiError(400, `Invalid ${what}: ${error.message}`, param)
  }
}

const known = new WeakMap<Tokenizer, readonly string[]>()

/** The words that the model says, each once; letters only, so that JSON takes them as they are. */
function wordsOf(tokenizer: Tokenizer): readonly string[] {
  const words = known.get(tokenizer) ?? readWords(tokenizer)
  known.set(tokenizer, words)
  return words
}

function readWords(tokenizer: Tokenizer): readonly string[] {
  const texts = [...new Set(tokenizer.vocabulary.sampleable)].map(id => tokenizer.decode([id]).trim())
  return texts.filter(text => /^[A-Za-z]+$/.test(text))
}
