import {createHash} from 'node:crypto'
import {readFile, stat} from 'node:fs/promises'
import {join, resolve} from 'node:path'
import {ConfigurationError, isSystemError} from '../foundation/index.js'
import {encodingOf, loadEncoding} from './encodings.js'

/** Counts what a model makes of a text. */
export interface TokenCounter {
  readonly choice: TokenizerChoice
  /** Without the special tokens that begin and end a prompt; text that looks like one is counted as the tokenizer takes it. */
  readonly count: (text: string) => number
}

/** Which tokenizer it is: two with one digest count alike. */
export interface TokenizerChoice {
  /** The path of a `tokenizer.json`, or the name of an encoding. */
  readonly name: string
  /** Of the file, or of the encoding's table. */
  readonly sha256: string
}

/** What is used of the package, whose own types do not resolve under NodeNext. */
interface HuggingFaceTokenizers {
  readonly Tokenizer: new (
    document: unknown,
    config: object,
  ) => {
    encode(text: string, options: {readonly add_special_tokens: boolean}): {readonly ids: readonly number[]}
  }
}

/** The largest that models have are about 35 MB. */
const MAX_FILE_BYTES = 256 * 1024 * 1024

/** By name and digest: read once in a process that measures many times. */
const loaded = new Map<string, TokenCounter>()

/**
 * Finds a tokenizer on this machine and loads it; nothing is ever downloaded.
 *
 * @param wanted a `tokenizer.json` of Hugging Face, a folder that holds one, or an encoding or model of `gpt-tokenizer`
 * @throws ConfigurationError `TOKENIZER_UNKNOWN`, `TOKENIZER_UNREADABLE`
 */
export async function openTokenizer(wanted: string): Promise<TokenCounter> {
  const file = await fileOf(wanted)
  if (file !== null) return readTokenizerFile(file)
  const encoding = await encodingOf(wanted)
  if (encoding !== null)
    return remembered({name: encoding.name, sha256: encoding.sha256}, () => loadEncoding(encoding.name))
  throw new ConfigurationError('TOKENIZER_UNKNOWN', unknownText(wanted), {
    suggestions: [
      'the tokenizer.json of the model that is served, or the folder that holds it; kvctl downloads none',
      'an encoding by name: o200k_base, cl100k_base; or a model that has one: gpt-4o, gpt-oss-20b',
    ],
  })
}

/**
 * Loads the tokenizer of an earlier day again.
 *
 * @throws ConfigurationError `TOKENIZER_CHANGED` when what bears its name now counts otherwise, and what `openTokenizer` throws
 */
export async function reopenTokenizer({name, sha256}: TokenizerChoice): Promise<TokenCounter> {
  const counter = await openTokenizer(name)
  if (counter.choice.sha256 === sha256) return counter
  throw new ConfigurationError(
    'TOKENIZER_CHANGED',
    `${name} is another tokenizer than before: SHA-256 ${counter.choice.sha256.slice(0, 12)}…, not ${sha256.slice(0, 12)}…`,
    {suggestions: ['--tokenizer with the file as it was, wherever it is now']},
  )
}

/** @returns the path of an existing file; null when nothing of that name is there */
async function fileOf(wanted: string): Promise<string | null> {
  const path = resolve(wanted)
  try {
    return (await stat(path)).isDirectory() ? join(path, 'tokenizer.json') : path
  } catch (error) {
    if (isSystemError(error, 'ENOENT') || isSystemError(error, 'ENOTDIR')) return null
    throw unreadable(path, error)
  }
}

async function readTokenizerFile(path: string): Promise<TokenCounter> {
  try {
    const {size} = await stat(path)
    if (size > MAX_FILE_BYTES) throw new RangeError(`it has ${size} bytes`)
    const bytes = await readFile(path)
    const choice = {name: path, sha256: createHash('sha256').update(bytes).digest('hex')}
    return await remembered(choice, async () => {
      const {Tokenizer} = (await import('@huggingface/tokenizers')) as HuggingFaceTokenizers
      const tokenizer = new Tokenizer(JSON.parse(bytes.toString('utf8')), {})
      const count = (text: string): number => tokenizer.encode(text, {add_special_tokens: false}).ids.length
      // Some tables are found broken only by using them.
      count('a b')
      return count
    })
  } catch (error) {
    throw unreadable(path, error)
  }
}

async function remembered(
  choice: TokenizerChoice,
  load: () => Promise<TokenCounter['count']>,
): Promise<TokenCounter> {
  const key = `${choice.name}\n${choice.sha256}`
  const counter = loaded.get(key) ?? {choice, count: await load()}
  loaded.set(key, counter)
  return counter
}

function unreadable(path: string, error: unknown): ConfigurationError {
  const why = isSystemError(error, 'ENOENT')
    ? 'it is not there'
    : error instanceof Error
      ? error.message
      : String(error)
  return new ConfigurationError(
    'TOKENIZER_UNREADABLE',
    `${path} is no tokenizer.json that can be read: ${why.split('\n')[0]!.slice(0, 200)}`,
    {
      cause: error,
      suggestions: ['the tokenizer.json of the model that is served, or the folder that holds it'],
    },
  )
}

function unknownText(wanted: string): string {
  const isRemote = /^[\w.-]+\/[\w.-]+$/.test(wanted)
  return isRemote
    ? `'${wanted}' is no file or folder here, and a name on Hugging Face is not looked up`
    : `there is no tokenizer '${wanted}': no such file or folder, and no encoding of that name`
}
