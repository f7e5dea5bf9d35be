import type {Distribution, RunResults} from '../runs/index.js'
import type {VllmFile} from './vllm-file.js'

/** vLLM's name of a figure, and ours; its gaps between chunks are `itl`. */
const METRICS = {ttft: 'ttft', tpot: 'tpot', itl: 'icl', e2el: 'e2e'} as const

/** `results.json` of a result without single requests: what its totals say, null for the rest. */
export function overlayOfTotals(
  empty: RunResults,
  file: VllmFile,
  document: Record<string, unknown>,
): RunResults {
  const figure = (key: string): number | null => {
    const value = document[key]
    return typeof value === 'number' ? value : null
  }
  const metrics = {...empty.metrics}
  for (const [theirs, ours] of Object.entries(METRICS)) {
    const before = empty.metrics[ours] as Distribution
    const p = (name: string): number | null => figure(`${name}_${theirs}_ms`)
    metrics[ours] = {
      ...before,
      count: ours === 'icl' || p('mean') === null ? 0 : file.completed,
      mean: p('mean'),
      std: p('std'),
      p50: p('median') ?? p('p50'),
      p90: p('p90'),
      p95: p('p95'),
      p99: p('p99'),
      p99_9: p('p99.9'),
      ci95: null,
    }
  }
  const failed = file.failed ?? file.num_prompts - file.completed
  const errorRate = file.num_prompts === 0 ? null : failed / file.num_prompts
  const [p50_ms, p95_ms, p99_ms] = ['median', 'p95', 'p99'].map(name => figure(`${name}_e2el_ms`)) as [
    number | null,
    number | null,
    number | null,
  ]
  const throughput = figure('request_throughput') ?? file.completed / file.duration
  return {
    ...empty,
    metadata: {...empty.metadata, total_requests: file.num_prompts},
    performance: {
      ...{p50_latency_ms: p50_ms, p95_latency_ms: p95_ms, p99_latency_ms: p99_ms},
      avg_ttft_ms: figure('mean_ttft_ms'),
      throughput_rps: throughput,
      success_rate: errorRate === null ? null : 1 - errorRate,
      error_rate: errorRate,
    },
    ...{p50_ms, p95_ms, p99_ms},
    ttft_p50_ms: figure('median_ttft_ms'),
    ttft_p95_ms: figure('p95_ttft_ms'),
    time_to_first_token_ms: figure('mean_ttft_ms'),
    tpot_p50_ms: figure('median_tpot_ms'),
    tpot_p95_ms: figure('p95_tpot_ms'),
    itl_p50_ms: figure('median_itl_ms'),
    itl_p95_ms: figure('p95_itl_ms'),
    itl_p99_ms: figure('p99_itl_ms'),
    throughput_rps: throughput,
    tokens_per_sec: figure('output_throughput'),
    error_rate: errorRate,
    window: {start: null, end: null, seconds: file.duration},
    requests: {total: file.num_prompts, success: file.completed},
    prompt_tokens_total: file.total_input_tokens,
    completion_tokens_total: file.total_output_tokens ?? null,
    metrics: {
      ...metrics,
      run_request_throughput: {unit: 'requests/s', value: throughput},
      run_output_throughput: {unit: 'tokens/s', value: figure('output_throughput')},
      error_rate: {unit: 'ratio', value: errorRate},
    },
    outcomes: {ok: file.completed, ...(failed > 0 && {invalid_response: failed})},
    warnings: [
      {
        code: 'totals_only',
        message: 'the imported file has no single requests: figures are its own, without intervals',
      },
    ],
  }
}
