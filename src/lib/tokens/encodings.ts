import {createHash} from 'node:crypto'
import {readFile} from 'node:fs/promises'
import {createRequire} from 'node:module'

/** Each is a table of some megabytes, read when it is asked for. @see openai/tiktoken:tiktoken_ext/openai_public.py */
const ENCODINGS = {
  o200k_base: {table: 'o200k_base', load: () => import('gpt-tokenizer/encoding/o200k_base')},
  o200k_harmony: {table: 'o200k_base', load: () => import('gpt-tokenizer/encoding/o200k_harmony')},
  cl100k_base: {table: 'cl100k_base', load: () => import('gpt-tokenizer/encoding/cl100k_base')},
  p50k_base: {table: 'p50k_base', load: () => import('gpt-tokenizer/encoding/p50k_base')},
  p50k_edit: {table: 'p50k_base', load: () => import('gpt-tokenizer/encoding/p50k_edit')},
  r50k_base: {table: 'r50k_base', load: () => import('gpt-tokenizer/encoding/r50k_base')},
  gpt2: {table: 'r50k_base', load: () => import('gpt-tokenizer/encoding/gpt2')},
} as const
type EncodingName = keyof typeof ENCODINGS
export const ENCODING_NAMES = Object.keys(ENCODINGS) as readonly EncodingName[]

/** @returns the encoding of that name, or of the model of that name; null when there is none */
export async function encodingOf(name: string): Promise<{name: EncodingName; sha256: string} | null> {
  const encoding = ENCODING_NAMES.find(known => known === name) ?? (await encodingOfModel(name))
  if (encoding === null) return null
  const path = createRequire(import.meta.url).resolve(
    `gpt-tokenizer/data/${ENCODINGS[encoding].table}.tiktoken`,
  )
  return {
    name: encoding,
    sha256: createHash('sha256')
      .update(await readFile(path))
      .digest('hex'),
  }
}

/** Text that looks like a special token is text: a model that wrote it wrote its letters. */
export async function loadEncoding(name: EncodingName): Promise<(text: string) => number> {
  const {countTokens} = await ENCODINGS[name].load()
  const nothing = {disallowedSpecial: new Set<string>()}
  return text => countTokens(text, nothing)
}

async function encodingOfModel(name: string): Promise<EncodingName | null> {
  const {chatModelParams, DEFAULT_ENCODING, modelToEncodingMap} = await import('gpt-tokenizer/mapping')
  if (Object.hasOwn(modelToEncodingMap, name))
    return modelToEncodingMap[name as keyof typeof modelToEncodingMap]
  return Object.hasOwn(chatModelParams, name) ? DEFAULT_ENCODING : null
}
