import * as z from 'zod'
import type {Content, Workload, WorkItem} from './workload.js'

const count = z.int().positive().optional()
const turnSchema = z.union([z.string(), z.looseObject({content: z.string()})])

/** The words that other tools use for the same things. */
const lineSchema = z.looseObject({
  prompt: z.string().optional(),
  text: z.string().optional(),
  text_input: z.string().optional(),
  question: z.string().optional(),
  messages: z
    .array(z.looseObject({role: z.string()}))
    .min(1)
    .optional(),
  /** What a user says, turn by turn. */
  turns: z.array(turnSchema).min(1).optional(),
  system: z.string().optional(),
  tools: z.array(z.looseObject({})).optional(),
  output_tokens: count,
  max_tokens: count,
  output_length: count,
  session_id: z.union([z.string(), z.number()]).optional(),
  delay_ms: z.number().nonnegative().optional(),
  timestamp_ms: z.number().nonnegative().optional(),
  extra_body: z.record(z.string(), z.unknown()).optional(),
  /** On whose behalf it is sent. */
  tenant: z.string().max(100).optional(),
})
type Line = z.output<typeof lineSchema>

/** Every line that is not blank. @throws SyntaxError naming the line */
export function linesOf(text: string): unknown[] {
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return []
    try {
      return [JSON.parse(line) as unknown]
    } catch {
      throw new SyntaxError(`line ${index + 1} is no JSON`)
    }
  })
}

/**
 * One request a line, or a session where a line has `turns`, or where neighbouring lines share a `session_id`.
 *
 * @param speedup divides the times
 * @param isLive the server's own answers stand between the turns of a session
 */
export function workloadOfLines(lines: readonly unknown[], speedup: number, isLive: boolean): Workload {
  const items: WorkItem[] = []
  const starts: (number | undefined)[] = []
  let session: string | number | undefined
  for (const [index, value] of lines.entries()) {
    const {success, data: line, error} = lineSchema.safeParse(value)
    if (!success) throw new SyntaxError(`line ${index + 1}: ${z.prettifyError(error).split('\n')[0]!}`)
    const follows = line.session_id !== undefined && line.session_id === session
    session = line.session_id
    if (!follows) starts.push(line.timestamp_ms)
    const before = follows ? items.at(-1)!.turn + 1 : 0
    for (const [place, content] of contentsOf(line, index + 1).entries()) {
      items.push({
        content,
        maxTokens: line.output_tokens ?? line.max_tokens ?? line.output_length ?? null,
        extraBody: extraOf(line),
        turn: before + place,
        delayMs: (line.delay_ms ?? 0) / speedup,
        ...(line.tenant !== undefined && {tenant: line.tenant}),
        ...(isLive && line.messages === undefined && {isLive}),
      })
    }
  }
  const isTimed = starts.length > 0 && starts.every(at => at !== undefined)
  const firstMs = isTimed ? starts[0]! : 0
  const timesMs = isTimed ? Float64Array.from(starts, at => Math.max(0, at - firstMs) / speedup) : null
  return {items, timesMs}
}

const bodySchema = z.looseObject({
  messages: z
    .array(z.looseObject({role: z.string()}))
    .min(1)
    .optional(),
  prompt: z.string().optional(),
  max_tokens: count,
  max_completion_tokens: count,
})
/** What a run says itself, whatever a body says. */
const RUNS_OWN: ReadonlySet<string> = new Set(['model', 'stream', 'stream_options'])

/**
 * Whole request bodies, one a line; model and streaming are the run's.
 *
 * @see sgl-project/sglang:python/sglang/benchmark/datasets — `openai`
 */
export function workloadOfBodies(lines: readonly unknown[]): Workload {
  const items = lines.map((value, index): WorkItem => {
    const {success, data, error} = bodySchema.safeParse(value)
    if (!success) throw new SyntaxError(`line ${index + 1}: ${z.prettifyError(error).split('\n')[0]!}`)
    const {messages, prompt, max_tokens: older, max_completion_tokens: newer, ...rest} = data
    const extraBody = Object.fromEntries(Object.entries(rest).filter(([name]) => !RUNS_OWN.has(name)))
    if (messages === undefined && prompt === undefined)
      throw new SyntaxError(`line ${index + 1} has neither messages nor prompt`)
    return {
      content: messages ? {kind: 'messages', messages} : {kind: 'text', text: prompt!},
      maxTokens: older ?? newer ?? null,
      extraBody: Object.keys(extraBody).length === 0 ? null : extraBody,
      turn: 0,
      delayMs: 0,
    }
  })
  return {items, timesMs: null}
}

function contentsOf(line: Line, number: number): Content[] {
  const system = line.system === undefined ? [] : [{role: 'system', content: line.system}]
  if (line.messages) return [{kind: 'messages', messages: [...system, ...line.messages]}]
  if (line.turns) {
    const said = line.turns.map(turn => ({
      role: 'user',
      content: typeof turn === 'string' ? turn : turn.content,
    }))
    return said.map((_, index) => ({kind: 'messages', messages: [...system, ...said.slice(0, index + 1)]}))
  }
  const text = line.prompt ?? line.text ?? line.text_input ?? line.question
  if (text === undefined) {
    throw new SyntaxError(`line ${number} has none of prompt, text, text_input, question, messages, turns`)
  }
  if (system.length === 0) return [{kind: 'text', text}]
  return [{kind: 'messages', messages: [...system, {role: 'user', content: text}]}]
}

function extraOf({tools, extra_body: extra}: Line): Record<string, unknown> | null {
  return tools === undefined && extra === undefined ? null : {...(tools && {tools}), ...extra}
}
