import * as z from 'zod'
import {seededRandom} from '../foundation/index.js'
import type {Workload} from './workload.js'

const fileSchema = z.array(
  z.looseObject({
    conversations: z.array(z.looseObject({from: z.string(), value: z.string()})).optional(),
  }),
)

const [LEAST_TOKENS, MOST_PROMPT_TOKENS, MOST_TOKENS] = [4, 1024, 2048]
/** English text; a tokenizer would know better, and the server's own count is what the results show. */
const CHARS_PER_TOKEN = 4

/**
 * First question and first answer of each conversation, in an order drawn from the seed; the answer is only measured, for how
 * long the server's is to be. Very short and very long pairs are left out.
 *
 * @see vllm-project/vllm:vllm/benchmarks/datasets.py — ShareGPTDataset, is_valid_sequence
 */
export function conversationsOf(document: unknown, seed: number): Workload {
  const random = seededRandom(seed)
  const items = fileSchema.parse(document).flatMap(({conversations = []}) => {
    const [asked, answered] = conversations.filter(({from}) => from !== 'system')
    if (asked === undefined || answered === undefined) return []
    const [prompt, answer] = [asked.value, answered.value].map(text =>
      Math.ceil(text.length / CHARS_PER_TOKEN),
    )
    const isUsable =
      Math.min(prompt!, answer!) >= LEAST_TOKENS &&
      prompt! <= MOST_PROMPT_TOKENS &&
      prompt! + answer! <= MOST_TOKENS
    if (!isUsable) return []
    return [
      {
        content: {kind: 'text', text: asked.value} as const,
        maxTokens: answer!,
        extraBody: null,
        turn: 0,
        delayMs: 0,
      },
    ]
  })
  for (let last = items.length - 1; last > 0; last--) {
    const other = random.integer(0, last)
    ;[items[last], items[other]] = [items[other]!, items[last]!]
  }
  return {items, timesMs: null}
}
