import {seededRandom} from '../foundation/index.js'
import type {TextBlock} from '../workloads/index.js'

/** Short, common words: most tokenizers make one token of each with the space before it. */
const WORDS = (
  'the of and to in is that for it as was with be by on not he his but at are this have from or had an they which one ' +
  'you were all her she there would their we him been has when who will no more if out so up said what its about than ' +
  'into them can only other time new some could these two may first then do any like my now over such our man me even ' +
  'most made after also well did many must before back through years where much your way down should because long each ' +
  'just state those people too mr how little good world make very year still see own work men day get here old life ' +
  'both between being under three never know same last another while us off might great go come since against right ' +
  'came take used himself few house use during without again place around home small found part school every don does ' +
  'got left number course war until always away something fact water less public put thing almost hand enough far took ' +
  'head yet better set told nothing night end why called eyes find going look asked later next light point group kind'
).split(' ')

/** Words before the text that no other request of the run has, and no other run with another seed. */
const NONCE_WORDS = 6

/** What a server makes of our words: tokens = overhead + words × tokens per word. */
export interface TokenFit {
  /** Words of a prompt of the one length that a run of equal prompts has. */
  readonly words: number
  readonly tokensPerWord: number
  /** Of the template around a prompt. */
  readonly overheadTokens: number
}

/** Most tokenizers make more tokens than words of plain text. */
const GUESSED_TOKENS_PER_WORD = 1.3
export const NO_FIT: TokenFit = {words: 0, tokensPerWord: GUESSED_TOKENS_PER_WORD, overheadTokens: 0}

/** Text of `tokens` tokens; equal seeds begin with equal words. */
export function blockText({seed, tokens}: TextBlock, {tokensPerWord}: TokenFit): string {
  const random = seededRandom(seed)
  const words = Math.max(1, Math.round(tokens / tokensPerWord))
  return Array.from({length: words}, () => WORDS[random.integer(0, WORDS.length - 1)]!).join(' ')
}

/** Writes the prompts of a run: request `index` gets the same text whenever it is asked for. */
export interface PromptWriter {
  /** @param words how many, nonce included; at least the nonce */
  text(index: number, words: number): string
}

/** @param seed any integer; another seed shares no nonce, so no prefix of an earlier run's cache fits */
export function createPromptWriter(seed: number): PromptWriter {
  return {
    text(index, words) {
      const random = seededRandom(mix(seed, index))
      const draw = (): string => WORDS[random.integer(0, WORDS.length - 1)]!
      const nonce = [...indexWords(index), draw(), draw(), draw()]
      const rest = Array.from({length: Math.max(0, words - NONCE_WORDS)}, draw)
      return [...nonce, ...rest].join(' ')
    },
  }
}

/** Three words that spell the index in base |WORDS|: different for every index below 200³. */
function indexWords(index: number): string[] {
  const base = WORDS.length
  return [index % base, Math.floor(index / base) % base, Math.floor(index / base ** 2) % base].map(
    at => WORDS[at]!,
  )
}

/** A 32-bit hash of the pair (the finaliser of MurmurHash3), so that neighbouring indices draw unrelated texts. */
function mix(seed: number, index: number): number {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/**
 * How many words make about `tokens` prompt tokens on a server: two counts give tokens = a + b·words, a third corrects it.
 *
 * @param countTokens what the server makes of a text, template included; null when it cannot say
 * @param samples texts that each count is the mean of: words are not equally long
 * @returns how words become tokens, and whether that is only a guess (1.3 tokens a word)
 */
export async function wordsForTokens(
  tokens: number,
  writer: PromptWriter,
  countTokens: (text: string) => Promise<number | null>,
  samples = 1,
): Promise<{fit: TokenFit; isEstimated: boolean}> {
  let probe = 0
  const tokensOf = async (words: number): Promise<number | null> => {
    let sum = 0
    for (let sample = 0; sample < samples; sample++) {
      // Negative indices: the probes share no text with any request.
      const counted = await countTokens(writer.text(--probe, words))
      if (counted === null) return null
      sum += counted
    }
    return sum / samples
  }
  const guess = Math.max(NONCE_WORDS, Math.round(tokens / GUESSED_TOKENS_PER_WORD))
  const [low, high] = [16, Math.max(64, guess)]
  const atLow = await tokensOf(low)
  const atHigh = atLow === null ? null : await tokensOf(high)
  if (atLow === null || atHigh === null || atHigh <= atLow)
    return {fit: {...NO_FIT, words: guess}, isEstimated: true}
  const perWord = (atHigh - atLow) / (high - low)
  const fitted = Math.max(NONCE_WORDS, Math.round(low + (tokens - atLow) / perWord))
  const atFitted = await tokensOf(fitted)
  const corrected = atFitted === null ? fitted : fitted + Math.round((tokens - atFitted) / perWord)
  return {
    fit: {
      words: Math.max(NONCE_WORDS, corrected),
      tokensPerWord: perWord,
      overheadTokens: atLow - low * perWord,
    },
    isEstimated: false,
  }
}
