import type {Profile} from '../profiles/index.js'
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
    extraBody: {...toolsBody(request.tools), ...(request.schema && schemaBody(request.schema))},
  }
}
