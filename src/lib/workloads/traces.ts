import * as z from 'zod'
import type {MadeMessage, TextBlock, Workload, WorkItem} from './workload.js'

/** One request of a recorded trace. */
export interface TraceRow {
  readonly atSeconds: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** Equal ids in the same place after equal ids before are the same text. */
  readonly hashIds: readonly number[] | null
  readonly sessionId: string | null
  /** After the answer to the turn before. */
  readonly delayMs: number
}

const mooncakeSchema = z.looseObject({
  timestamp: z.number().nonnegative().optional(),
  input_length: z.int().positive(),
  output_length: z.int().nonnegative().optional(),
  hash_ids: z.array(z.int()).optional(),
  session_id: z.union([z.string(), z.number()]).optional(),
  delay: z.number().nonnegative().optional(),
})

/**
 * @param secondsPerUnit of the time stamps
 * @see kvcache-ai/Mooncake:README.md — timestamp in ms, hash_ids of blocks of 512 tokens
 * @see vllm-project/vllm:vllm/benchmarks/datasets.py — timed_trace: the same keys, times in seconds unless told otherwise
 */
export function mooncakeRows(lines: readonly unknown[], secondsPerUnit: number): TraceRow[] {
  return lines.map((value, index) => {
    const {success, data, error} = mooncakeSchema.safeParse(value)
    if (!success) throw new SyntaxError(`line ${index + 1}: ${z.prettifyError(error).split('\n')[0]!}`)
    return {
      atSeconds: (data.timestamp ?? 0) * secondsPerUnit,
      inputTokens: data.input_length,
      outputTokens: data.output_length ?? 1,
      hashIds: data.hash_ids ?? null,
      sessionId: data.session_id === undefined ? null : String(data.session_id),
      delayMs: data.delay ?? 0,
    }
  })
}

/** @see Azure/AzurePublicDataset:AzureLLMInferenceDataset2023.md — TIMESTAMP, ContextTokens, GeneratedTokens */
export function azureRows(text: string): TraceRow[] {
  return csvRows(text, ['TIMESTAMP', 'ContextTokens', 'GeneratedTokens']).map(
    ([at, input, output], index) => {
      const atMs = Date.parse(
        at!
          .trim()
          .replace(' ', 'T')
          .replace(/(\.\d{3})\d*/, '$1')
          .replace(/Z?$/, 'Z'),
      )
      if (Number.isNaN(atMs)) throw new SyntaxError(`row ${index + 1} has no time but '${at!}'`)
      // Date keeps milliseconds; the trace has seven digits.
      const rest = Number(`0.000${/\.\d{3}(\d+)/.exec(at!)?.[1] ?? '0'}`)
      return rowOf(atMs / 1000 + rest, input!, output!, index)
    },
  )
}

/** @see HPMLL/BurstGPT:README.md — Timestamp in s, Request tokens, Response tokens */
export function burstGptRows(text: string): TraceRow[] {
  return csvRows(text, ['Timestamp', 'Request tokens', 'Response tokens']).flatMap(
    ([at, input, output], index) => {
      // Failed requests of the original service have no answer.
      return Number(output) === 0 ? [] : [rowOf(Number(at), input!, output!, index)]
    },
  )
}

function rowOf(atSeconds: number, input: string, output: string, index: number): TraceRow {
  const [inputTokens, outputTokens] = [Number(input), Number(output)]
  if (!Number.isFinite(atSeconds) || !(inputTokens >= 0) || !(outputTokens >= 0)) {
    throw new SyntaxError(`row ${index + 1} is no time and two lengths`)
  }
  const lengths = {inputTokens: Math.max(1, inputTokens), outputTokens: Math.max(1, outputTokens)}
  return {atSeconds, ...lengths, hashIds: null, sessionId: null, delayMs: 0}
}

/** Columns by name, wherever they stand; these files have no quoted fields with commas. */
function csvRows(text: string, wanted: readonly string[]): string[][] {
  const [header = '', ...lines] = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  const names = header.split(',').map(name => name.trim().toLowerCase())
  const places = wanted.map(name => names.indexOf(name.toLowerCase()))
  const missing = wanted.filter((_, index) => places[index]! < 0)
  if (missing.length > 0) throw new SyntaxError(`its header lacks ${missing.join(', ')}`)
  return lines
    .filter(line => line.trim() !== '')
    .map(line => {
      const fields = line.split(',')
      return places.map(place => fields[place] ?? '')
    })
}

export interface TraceOptions {
  readonly speedup: number
  readonly blockTokens: number
  readonly seed: number
}

/** Requests of a trace at its times, with texts of its lengths that share what its hash ids share. */
export function traceWorkload(rows: readonly TraceRow[], options: TraceOptions): Workload {
  const {speedup, blockTokens, seed} = options
  const bySession = new Map<string, {row: TraceRow; index: number}[]>()
  for (const [index, row] of rows.entries()) {
    const name = row.sessionId ?? `#${index}`
    bySession.set(name, [...(bySession.get(name) ?? []), {row, index}])
  }
  const sessions = [...bySession.values()].sort(
    (left, right) => left[0]!.row.atSeconds - right[0]!.row.atSeconds,
  )
  const firstSeconds = sessions[0]?.[0]!.row.atSeconds ?? 0
  const items = sessions.flatMap(turns =>
    turns.map(({row, index}, turn): WorkItem => ({
      content: {kind: 'made', messages: messagesOf(row, index, blockTokens, seed)},
      maxTokens: row.outputTokens,
      extraBody: null,
      turn,
      delayMs: row.delayMs / speedup,
    })),
  )
  const timesMs = Float64Array.from(
    sessions,
    ([head]) => ((head!.row.atSeconds - firstSeconds) * 1000) / speedup,
  )
  return {items, timesMs}
}

function messagesOf(
  {hashIds, inputTokens}: TraceRow,
  index: number,
  blockTokens: number,
  seed: number,
): MadeMessage[] {
  // Ids of blocks from 0 up, texts of requests without ids from −1 down.
  if (hashIds === null || hashIds.length === 0) {
    return [{role: 'user', blocks: [{seed: seed ^ -(index + 1), tokens: inputTokens}]}]
  }
  const blocks = hashIds.map((id, place): TextBlock => {
    const left = inputTokens - place * blockTokens
    return {
      seed: seed ^ id,
      tokens: Math.max(1, place === hashIds.length - 1 ? left : Math.min(blockTokens, left)),
    }
  })
  return [{role: 'user', blocks}]
}
