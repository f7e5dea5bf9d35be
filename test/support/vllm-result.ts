/** A result of `vllm bench serve --save-result --save-detailed`: three requests, the last one failed. */
export function vllmResult(): Record<string, unknown> {
  const ttfts = [0.101234567, 0.203456789, 0]
  const itls = [[0.0200001, 0.0300002], [0.0400003], []]
  const [first, second] = [0.101234567 + 0.0200001 + 0.0300002, 0.203456789 + 0.0400003]
  const e2el = [first, second]
  const tpot = [(first - ttfts[0]!) / 2, second - ttfts[1]!]
  const gaps = itls.flat()
  return {
    ...{date: '20260131-143015', endpoint_type: 'openai-chat', backend: 'openai-chat', label: 'nightly'},
    ...{model_id: 'meta-llama/Llama-3.1-8B', tokenizer_id: 'meta-llama/Llama-3.1-8B', num_prompts: 3},
    ...{hardware: 'h100', request_rate: 'inf', burstiness: 1.0, max_concurrency: 2},
    ...{duration: 0.4, completed: 2, failed: 1, total_input_tokens: 30, total_output_tokens: 5},
    ...{request_throughput: 2 / 0.4, request_goodput: null, output_throughput: 5 / 0.4},
    ...{total_token_throughput: 35 / 0.4, input_lens: [10, 20, 30], output_lens: [3, 2, 0], ttfts, itls},
    ...{start_times: [1000.5, 1000.6, 1000.65], generated_texts: ['a b c', 'd e', '']},
    errors: ['', '', 'Internal Server Error'],
    ...{max_output_tokens_per_s: 5, max_concurrent_requests: 2, rtfx: 0},
    ...statistics('ttft', ttfts.slice(0, 2)),
    ...statistics('tpot', tpot),
    ...statistics('itl', gaps),
    ...statistics('e2el', e2el),
  }
}

/** As numpy computes them, in ms from seconds. */
function statistics(name: string, samples: readonly number[]): Record<string, number> {
  const sorted = [...samples].sort((one, other) => one - other)
  const mean = samples.reduce((sum, value) => sum + value, 0) / samples.length
  const at = (share: number): number => {
    const position = share * (sorted.length - 1)
    const below = Math.floor(position)
    return sorted[below]! + ((sorted[below + 1] ?? sorted[below]!) - sorted[below]!) * (position - below)
  }
  const std = Math.sqrt(samples.reduce((sum, value) => sum + (value - mean) ** 2, 0) / samples.length)
  return {
    [`mean_${name}_ms`]: mean * 1000,
    [`median_${name}_ms`]: at(0.5) * 1000,
    [`std_${name}_ms`]: std * 1000,
    [`p99_${name}_ms`]: at(0.99) * 1000,
  }
}
