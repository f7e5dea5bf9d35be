import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'

/** A `tokenizer.json` that makes a token of every two characters, and of an odd last one. */
export const PAIR_TOKENIZER = {
  version: '1.0',
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: {type: 'Split', pattern: {Regex: '[\\s\\S]{1,2}'}, behavior: 'Isolated', invert: false},
  post_processor: null,
  decoder: null,
  model: {type: 'WordLevel', vocab: {'[UNK]': 0}, unk_token: '[UNK]'},
}

/** How many tokens it makes of texts, each by itself. */
export function pairTokens(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Math.ceil(Array.from(text).length / 2), 0)
}

/** @returns its path */
export async function writePairTokenizer(folder: string): Promise<string> {
  const path = join(folder, 'tokenizer.json')
  await writeFile(path, JSON.stringify(PAIR_TOKENIZER))
  return path
}
