import type {RequestTimes} from './request-times.js'

/**
 * Time to first token (TTFT), ms: first token-bearing chunk − send.
 *
 * @returns null when the request was not streamed or brought no token
 * @see vllm-project/vllm:vllm/benchmarks/lib/endpoint_request_func.py — theirs counts the role delta too
 */
export function ttftMs({firstTokenAtMs, sentAtMs}: RequestTimes): number | null {
  return since(firstTokenAtMs, sentAtMs)
}

/** TTFT as the user met it, ms: first token-bearing chunk − scheduled time. */
export function ttftSchedMs({firstTokenAtMs, scheduledAtMs}: RequestTimes): number | null {
  return since(firstTokenAtMs, scheduledAtMs)
}

/** Time to the first token of the answer itself (TTFO), ms: what a user reads first of a model that reasons. */
export function ttfoMs({answerAtMs, sentAtMs}: RequestTimes): number | null {
  return since(answerAtMs, sentAtMs)
}

/** Time to first byte of the body, ms: what upstream's benchmark calls TTFT. */
export function ttfbMs({firstByteAtMs, sentAtMs}: RequestTimes): number | null {
  return since(firstByteAtMs, sentAtMs)
}

/** Milliseconds from `start` to `end`; null when either never came. */
export function since(end: number | null, start: number | null): number | null {
  return end === null || start === null ? null : end - start
}
