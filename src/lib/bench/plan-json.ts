import type {BenchAsk} from './bench-ask.js'
import {requestsIn} from './send-list.js'

/** A resolved plan as `--dry-run --json` prints it. */
export interface PlanJson {
  readonly target: {url: string | null; urls: readonly string[]; model: string | null; is_embedded: boolean}
  /** null for a new run. */
  readonly resume: {run_dir: string; missing_requests: number} | null
  readonly plan: Readonly<Record<string, unknown>>
}

export function planJson({plan, urls, model, resume, workers, transport}: BenchAsk): PlanJson {
  const {request, limits} = plan
  return {
    target: {url: urls[0] ?? null, urls, model, is_embedded: urls.length === 0},
    resume: resume && {run_dir: resume.run.path, missing_requests: requestsIn(resume.list)},
    plan: {
      pattern: plan.pattern,
      mode: plan.mode,
      requests: plan.requests,
      concurrency: plan.concurrency,
      max_concurrency: plan.maxInFlight,
      warmup_requests: plan.warmupRequests,
      workers,
      transport,
      rate_per_second: plan.ratePerSecond,
      duration_seconds: plan.durationMs === null ? null : plan.durationMs / 1000,
      arrival_seed: plan.arrivalSeed,
      prompt_seed: plan.promptSeed,
      schedule_sha256: plan.scheduleSha256,
      api: request.api,
      stream: request.isStreamed,
      max_tokens: request.maxTokens,
      temperature: request.temperature,
      top_p: request.topP,
      ignore_eos: request.ignoresEos,
      prompt: request.prompt.kind === 'workload' ? request.prompt.spec : request.prompt,
      workload_sha256: plan.workloadSha256,
      sessions: plan.sessions?.length ?? null,
      exact_itl: request.isItlExact,
      tokenizer: request.tokenizer,
      cancel_share: plan.options.cancelShare,
      connections: plan.options.connections,
      extra_body: request.extraBody,
      timeout_ms: {
        connect: limits.connectMs,
        ttft: limits.firstTokenMs,
        idle: limits.idleMs,
        total: limits.totalMs,
      },
    },
  }
}
