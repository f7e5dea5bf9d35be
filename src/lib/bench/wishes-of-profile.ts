import type {Profile} from '../profiles/index.js'
import type {MadeSpec} from '../workloads/index.js'
import {schemaBody, toolsBody} from './body-parts.js'
import type {LoadWishes} from './resolve-options.js'

/** What a profile says about the load. */
export function wishesOfProfile({load_test: load, request}: Profile): LoadWishes {
  return {
    pattern: load.pattern ?? null,
    requests: load.requests ?? null,
    concurrency: load.concurrency ?? null,
    ratePerSecond: load.rate ?? null,
    durationSeconds: load.duration_seconds ?? null,
    warmupRequests: load.warmup_requests ?? null,
    maxTokens: request.max_tokens ?? null,
    temperature: request.temperature ?? null,
    topP: request.top_p ?? null,
    isStreamed: request.stream ?? null,
    promptTokens: request.prompt_tokens ?? null,
    workload: sharedPrefixes(request),
    extraBody: {...toolsBody(request.tools), ...(request.schema && schemaBody(request.schema))},
  }
}

const USUAL_PREFIX = {groups: 8, tokens: 512, rest: 64}

/** Prompts that begin alike, when the profile says anything about it. */
function sharedPrefixes({prefix_groups, prefix_tokens, prompt_tokens}: Profile['request']): MadeSpec | null {
  if (prefix_groups === undefined && prefix_tokens === undefined) return null
  return {
    kind: 'shared-prefix',
    groups: prefix_groups ?? USUAL_PREFIX.groups,
    prefix_tokens: prefix_tokens ?? USUAL_PREFIX.tokens,
    input: String(prompt_tokens ?? USUAL_PREFIX.rest),
    output: null,
  }
}
