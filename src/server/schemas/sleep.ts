import * as z from 'zod'
import {SLEEP_TAGS} from '../../lib/engine/index.js'

const mode = z.enum(['abort', 'wait', 'keep'], 'must be abort, wait or keep').default('abort')
const flag = (fallback: boolean) =>
  z
    .enum(['true', 'false', 'True', 'False', '1', '0'], 'must be true or false')
    .transform(text => /^(true|1)$/i.test(text))
    .default(fallback)
const tag = z.enum(SLEEP_TAGS, `must be ${SLEEP_TAGS.join(', ')}`)

/** Queries of the paths that vLLM has in its development mode; values are text, names that it does not know pass. */
export const sleepQuery = z.object({
  level: z
    .enum(['0', '1', '2'], 'must be 0, 1 or 2')
    .transform(text => Number(text) as 0 | 1 | 2)
    .default(1),
  mode,
})
export const wakeQuery = z.object({
  tags: z.union([z.array(tag), tag.transform(only => [only])], `must be ${SLEEP_TAGS.join(', ')}`).optional(),
})
export const pauseQuery = z.object({mode, clear_cache: flag(true)})
export const resetQuery = z.object({reset_running_requests: flag(false), reset_external: flag(false)})
