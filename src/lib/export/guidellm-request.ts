import type {ExportedRequest, ExportedRun} from './exported-run.js'

/** One request of GuideLLM's `requests`; instants are epoch seconds, texts are not kept. */
export function guideLlmRequest(
  {results, epochMs}: ExportedRun,
  request: ExportedRequest,
): Record<string, unknown> {
  const {id, promptTokens, completionTokens, sentAtMs, doneAtMs, ttftMs, tpotMs} = request
  const epoch = (ms: number | null): number | null => (ms === null ? null : epochMs(ms) / 1000)
  const iterations = iterationsOf(request.gapsUs, request.firstTokenAtMs)
  const latency = sentAtMs === null || doneAtMs === null ? null : (doneAtMs - sentAtMs) / 1000
  const total = promptTokens === null || completionTokens === null ? null : promptTokens + completionTokens
  const per = (amount: number | null, seconds: number | null): number | null =>
    amount === null || seconds === null || seconds <= 0 ? null : amount / seconds
  return {
    type_: 'generative_request_stats',
    request_id: `${results.run_id}-${id}`,
    response_id: null,
    output: null,
    reasoning_output: null,
    tool_calls: null,
    info: {
      request_id: `${results.run_id}-${id}`,
      status: request.isOk ? 'completed' : request.isIncomplete ? 'cancelled' : 'errored',
      error: request.errorType === null ? null : request.error || request.errorType,
      conversation_id: `${results.run_id}-${request.session}`,
      turn_index: request.turn,
      timings: {
        targeted_start: epoch(request.scheduledAtMs),
        queued: epoch(request.scheduledAtMs),
        dequeued: epoch(request.scheduledAtMs),
        scheduled_at: epoch(request.scheduledAtMs),
        resolve_start: epoch(sentAtMs),
        request_start: epoch(sentAtMs),
        first_request_iteration: epoch(request.firstByteAtMs),
        first_token_iteration: epoch(request.firstTokenAtMs),
        first_output_token_iteration: epoch(request.firstTokenAtMs),
        last_token_iteration: epoch(request.lastTokenAtMs),
        last_request_iteration: epoch(doneAtMs),
        request_iterations: iterations ?? 0,
        token_iterations: iterations ?? 0,
        request_end: epoch(doneAtMs),
        resolve_end: epoch(doneAtMs),
        finalized: epoch(doneAtMs),
      },
    },
    input_metrics: {text_tokens: promptTokens},
    output_metrics: {text_tokens: completionTokens},
    request_start_time: epoch(sentAtMs),
    request_end_time: epoch(doneAtMs),
    request_latency: latency,
    prompt_tokens: promptTokens,
    output_tokens: completionTokens,
    total_tokens: total,
    time_to_first_token_ms: ttftMs,
    time_to_first_output_token_ms: ttftMs,
    time_per_output_token_ms:
      latency === null || completionTokens === null || completionTokens === 0
        ? null
        : (latency * 1000) / completionTokens,
    inter_token_latency_ms: tpotMs,
    prompt_tokens_per_second: per(promptTokens, ttftMs === null ? null : ttftMs / 1000),
    output_tokens_per_second: per(completionTokens, latency),
    tokens_per_second: per(total, latency),
  }
}

/** Chunks that brought tokens; null when none is known. */
export function iterationsOf(gapsUs: Uint32Array, firstTokenAtMs: number | null): number | null {
  return firstTokenAtMs === null ? null : gapsUs.length + 1
}
