import {readFile} from 'node:fs/promises'
import * as z from 'zod'
import {ConfigurationError, isSystemError} from '../foundation/index.js'

const seconds = z.array(z.number())
const figure = z.number().nullable().optional()

/**
 * What import needs of a result of `vllm bench serve`; every other key is kept as it is.
 *
 * @see vllm-project/vllm:vllm/benchmarks/serve.py — result_json and benchmark_result
 */
export const vllmFileSchema = z.looseObject({
  date: z.string().optional(),
  backend: z.string().optional(),
  model_id: z.string(),
  num_prompts: z.int().nonnegative(),
  request_rate: z.union([z.number(), z.literal('inf')]).optional(),
  max_concurrency: z.int().positive().nullable().optional(),
  duration: z.number().positive(),
  completed: z.int().nonnegative(),
  failed: z.int().nonnegative().optional(),
  total_input_tokens: z.number(),
  total_output_tokens: z.number().nullable().optional(),
  request_throughput: figure,
  output_throughput: figure,
  total_token_throughput: figure,
  input_lens: z.array(z.int()).optional(),
  output_lens: z.array(z.int()).optional(),
  ttfts: seconds.optional(),
  itls: z.array(seconds).optional(),
  start_times: seconds.optional(),
  latencies: seconds.optional(),
  queue_times: seconds.optional(),
  errors: z.array(z.string().nullable()).optional(),
})
export type VllmFile = z.output<typeof vllmFileSchema>

/** One result of a file, and its keys as they stand there. */
export interface VllmResult {
  readonly file: VllmFile
  readonly document: Record<string, unknown>
}

/**
 * Reads one result, or one a line as `--append-result` leaves them.
 *
 * @throws ConfigurationError `IMPORT_UNREADABLE` with the file, and the line where there are several
 */
export async function readVllmFile(path: string): Promise<VllmResult[]> {
  const text = await readText(path)
  const whole = parsed(text)
  if (whole !== undefined) return [resultOf(whole, path)]
  const lines = text
    .split('\n')
    .flatMap((line, index) => (line.trim() === '' ? [] : [{line, number: index + 1}]))
  const results = lines.map(({line, number}) => {
    const value = parsed(line)
    if (value === undefined) throw unreadable(`${path}:${number}`, 'is no JSON')
    return resultOf(value, `${path}:${number}`)
  })
  if (results.length === 0) throw unreadable(path, 'is empty')
  return results
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'EISDIR', 'EACCES')) throw error
    throw unreadable(path, 'cannot be read', error)
  }
}

function resultOf(value: unknown, where: string): VllmResult {
  const {success, data, error} = vllmFileSchema.safeParse(value)
  if (!success) {
    const {path, message} = error.issues[0]!
    throw unreadable(
      where,
      `is no result of vllm bench serve: ${[path.join('.'), message].filter(Boolean).join(': ')}`,
    )
  }
  return {file: data, document: value as Record<string, unknown>}
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // One document or one a line: the caller tries both and says which line is none.
    return undefined
  }
}

function unreadable(where: string, why: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError('IMPORT_UNREADABLE', `${where} ${why}`, {
    cause,
    suggestions: ['a file of vllm bench serve --save-result, better with --save-detailed'],
  })
}
