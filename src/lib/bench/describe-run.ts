import {availableParallelism, hostname} from 'node:os'
import {packageVersion} from '../foundation/index.js'
import type {EmbeddedEngine, InferenceTarget} from '../inference/index.js'
import {readStartTicks} from '../processes/index.js'
import type {RunDirectory, writeMeta} from '../runs/index.js'
import type {TokenFit} from './prompts.js'
import type {BenchAsk} from './bench-ask.js'
import type {RequestShape} from './bench-plan.js'
import {storePlan} from './stored-plan.js'

export type MetaInput = Parameters<typeof writeMeta>[1]

export interface ServerFacts {
  /** At least one. */
  readonly targets: readonly InferenceTarget[]
  readonly engine: EmbeddedEngine | null
  readonly version: string | null
}

interface RunFacts extends ServerFacts {
  readonly run: RunDirectory
  readonly fit: TokenFit
}

/** The `meta.json` of a run about to start. */
export async function describeRun({plan, notes}: BenchAsk, facts: RunFacts): Promise<MetaInput> {
  const {targets, run, fit} = facts
  const target = targets[0]!
  const startedAt = new Date()
  const route = plan.request.api === 'chat' ? 'chat/completions' : 'completions'
  return {
    url: target.baseUrl,
    urls: targets.map(({baseUrl}) => baseUrl),
    model: target.model,
    prompt: describePrompt(plan.request),
    max_tokens: plan.request.maxTokens,
    concurrency: plan.concurrency,
    requests: plan.requests,
    pattern: plan.pattern,
    duration_sec: plan.durationMs === null ? null : plan.durationMs / 1000,
    target_rps: plan.ratePerSecond,
    test_start_time: startedAt.getTime() / 1000,
    run_id: run.runId,
    tool_version: packageVersion,
    started_at: startedAt.toISOString(),
    mode: plan.mode,
    stream: plan.request.isStreamed,
    seed: plan.arrivalSeed,
    prompt_seed: plan.promptSeed,
    schedule_sha256: plan.scheduleSha256,
    workload_sha256: plan.workloadSha256,
    endpoint: `${target.baseUrl}${target.apiPath}/${route}`,
    timeout_ms: {
      connect: plan.limits.connectMs,
      ttft: plan.limits.firstTokenMs,
      idle: plan.limits.idleMs,
      total: plan.limits.totalMs,
    },
    warmup_requests: plan.warmupRequests,
    plan: storePlan({options: plan.options, model: target.model, fit}),
    client: await describeClient(),
    server: describeServer(facts),
    ...notes,
  }
}

export function describeServer({targets, engine, version}: ServerFacts): NonNullable<MetaInput['server']> {
  return {
    version,
    max_model_len: targets[0]!.maxModelLen,
    is_embedded: engine !== null,
    pid: engine?.pid ?? null,
    segment: engine?.segment ?? null,
  }
}

/** The machine and process that measure. */
export async function describeClient(): Promise<NonNullable<MetaInput['client']>> {
  return {
    host: hostname(),
    cpus: availableParallelism(),
    node_version: process.version,
    pid: process.pid,
    pid_start_ticks: await readStartTicks(process.pid),
  }
}

function describePrompt({prompt}: RequestShape): string {
  switch (prompt.kind) {
    case 'fixed':
      return prompt.text
    case 'synthetic':
      return `synthetic, ${prompt.tokens} tokens`
    case 'workload':
      return 'path' in prompt.spec ? `${prompt.spec.kind} of ${prompt.spec.path}` : prompt.spec.kind
  }
}
