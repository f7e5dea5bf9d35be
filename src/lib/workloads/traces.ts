import * as z from 'zod'
import type {Content, TextBlock, Workload, WorkItem} from './workload.js'

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
  /** What is said, where the trace tells it; `isWhole` when the turns before are told again in it. */
  readonly said: {readonly messages: readonly object[]; readonly isWhole: boolean} | null
  readonly extraBody: Readonly<Record<string, unknown>> | null
}

const mooncakeSchema = z.looseObject({
  timestamp: z.number().nonnegative().optional(),
  input_length: z.int().positive().optional(),
  output_length: z.int().nonnegative().optional(),
  hash_ids: z.array(z.int()).optional(),
  session_id: z.union([z.string(), z.number()]).optional(),
  delay: z.number().nonnegative().optional(),
  messages: z
    .array(z.looseObject({role: z.string()}))
    .min(1)
    .optional(),
  message_mode: z.enum(['history', 'delta']).optional(),
  text_input: z.string().optional(),
  tools: z.array(z.looseObject({})).optional(),
  extra: z.record(z.string(), z.unknown()).optional(),
})

/**
 * @param secondsPerUnit of the time stamps
 * @see kvcache-ai/Mooncake:README.md — timestamp in ms, hash_ids of blocks of 512 tokens
 * @see ai-dynamo/aiperf:docs — its extension: session_id, delay, messages, text_input, tools, extra, message_mode
 * @see vllm-project/vllm:vllm/benchmarks/datasets.py — timed_trace: the same keys, times in seconds unless told otherwise
 */
export function mooncakeRows(lines: readonly unknown[], secondsPerUnit: number): TraceRow[] {
  return lines.map((value, index) => {
    const {success, data, error} = mooncakeSchema.safeParse(value)
    if (!success) throw new SyntaxError(`line ${index + 1}: ${z.prettifyError(error).split('\n')[0]!}`)
    const {input_length: inputTokens, messages, text_input: text, tools, extra} = data
    if (inputTokens === undefined && messages === undefined && text === undefined)
      throw new SyntaxError(`line ${index + 1} has none of input_length, messages, text_input`)
    const told = messages ?? (text === undefined ? null : [{role: 'user', content: text}])
    return {
      atSeconds: (data.timestamp ?? 0) * secondsPerUnit,
      inputTokens: inputTokens ?? 1,
      outputTokens: data.output_length ?? 1,
      hashIds: data.hash_ids ?? null,
      sessionId: data.session_id === undefined ? null : String(data.session_id),
      delayMs: data.delay ?? 0,
      said: told && {messages: told, isWhole: messages !== undefined && data.message_mode !== 'delta'},
      extraBody: tools === undefined && extra === undefined ? null : {...(tools && {tools}), ...extra},
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
  return {atSeconds, ...lengths, hashIds: null, sessionId: null, delayMs: 0, said: null, extraBody: null}
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
  const {speedup} = options
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
      content: contentOf(
        turns.slice(0, turn + 1).map(one => one.row),
        index,
        options,
      ),
      maxTokens: row.outputTokens,
      extraBody: row.extraBody,
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

/** @param turns of one session, the last of them the one to be said */
function contentOf(turns: readonly TraceRow[], index: number, {blockTokens, seed}: TraceOptions): Content {
  const {hashIds, inputTokens, said} = turns.at(-1)!
  if (said !== null) {
    const messages = said.isWhole ? said.messages : turns.flatMap(turn => turn.said?.messages ?? [])
    return {kind: 'messages', messages}
  }
  // Ids of blocks from 0 up, texts of requests without ids from −1 down.
  if (hashIds === null || hashIds.length === 0) {
    const blocks = [{seed: seed ^ -(index + 1), tokens: inputTokens}]
    return {kind: 'made', messages: [{role: 'user', blocks}]}
  }
  const blocks = hashIds.map((id, place): TextBlock => {
    const left = inputTokens - place * blockTokens
    return {
      seed: seed ^ id,
      tokens: Math.max(1, place === hashIds.length - 1 ? left : Math.min(blockTokens, left)),
    }
  })
  return {kind: 'made', messages: [{role: 'user', blocks}]}
}
