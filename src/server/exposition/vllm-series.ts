import {Counter, Gauge, Histogram, Registry} from 'prom-client'
import type {EngineObserver} from '../../lib/engine/index.js'
import type {ServedEngine} from '../served-engine.js'
import {
  INTER_TOKEN_SECONDS,
  oneTwoFive,
  PARAMS_N,
  PREEMPTIONS,
  REQUEST_SECONDS,
  STEP_TOKENS,
  TTFT_SECONDS,
} from './buckets.js'
import {readCounter, readGauge} from './read-series.js'

/** vLLM's own series, those whose truth the engine has; names, labels and bounds as vLLM's. */
export interface VllmSeries {
  readonly registry: Registry
  readonly observer: EngineObserver
  /** A request was accepted. */
  requested(n: number): void
}

/**
 * @param modelName the first served name, label `model_name` of every series
 * @see vllm-project/vllm:vllm/v1/metrics/loggers.py — PrometheusStatLogger
 */
export function createVllmSeries(engine: ServedEngine, modelName: string): VllmSeries {
  const registry = new Registry()
  registry.setDefaultLabels({model_name: modelName, engine: '0'})
  const registers = [registry]
  const stats = (): ReturnType<ServedEngine['stats']> => engine.stats()

  const gauge = (name: string, help: string, read: () => number): void => {
    readGauge(registers, name, help, read)
  }
  const counter = (name: string, help: string, read: () => number): void => {
    readCounter(registers, name, help, read)
  }
  const histogram = (name: string, help: string, buckets: number[]): Histogram =>
    new Histogram({name, help, buckets, registers})

  gauge('vllm:num_requests_running', 'Requests being executed.', () => stats().running)
  gauge('vllm:num_requests_waiting', 'Requests in the queue.', () => stats().waiting)
  new Gauge({
    name: 'vllm:num_requests_waiting_by_reason',
    help: 'Requests in the queue by why they wait.',
    labelNames: ['reason'],
    registers,
    collect() {
      this.set({reason: 'capacity'}, stats().waiting)
      this.set({reason: 'deferred'}, 0)
    },
  })
  gauge('vllm:kv_cache_usage_perc', 'Used share of the KV blocks, 0 to 1.', () => stats().kvCacheUsage)
  new Gauge({
    name: 'vllm:engine_sleep_state',
    help: '1 on the state that the engine is in.',
    labelNames: ['sleep_state'],
    registers,
    collect() {
      const {sleepState} = stats()
      for (const state of ['awake', 'weights_offloaded', 'discard_all']) {
        this.set({sleep_state: state}, state === sleepState ? 1 : 0)
      }
    },
  })
  counter('vllm:num_preemptions_total', 'Preemptions.', () => stats().preemptions)
  counter('vllm:prefix_cache_queries_total', 'Prompt tokens looked up in the prefix cache.', () => {
    return stats().prefixCacheQueries
  })
  counter('vllm:prefix_cache_hits_total', 'Prompt tokens found in the prefix cache.', () => {
    return stats().prefixCacheHits
  })
  counter('vllm:prompt_tokens_total', 'Prompt tokens of requests whose prefill is done.', () => {
    return stats().promptTokens
  })
  counter('vllm:prompt_tokens_cached_total', 'Prompt tokens taken from the cache.', () => {
    return stats().promptTokensCached
  })
  new Counter({
    name: 'vllm:prompt_tokens_by_source_total',
    help: 'Prompt tokens by where their KV came from.',
    labelNames: ['source'],
    registers,
    collect() {
      const {promptTokens, promptTokensCached} = stats()
      this.reset()
      this.inc({source: 'local_compute'}, promptTokens - promptTokensCached)
      this.inc({source: 'local_cache_hit'}, promptTokensCached)
      this.inc({source: 'external_kv_transfer'}, 0)
    },
  })
  counter('vllm:generation_tokens_total', 'Generated tokens.', () => stats().generationTokens)
  const success = new Counter({
    name: 'vllm:request_success_total',
    help: 'Finished requests, aborted ones too.',
    labelNames: ['finished_reason'],
    registers,
  })
  for (const reason of ['stop', 'length', 'abort', 'error']) success.inc({finished_reason: reason}, 0)

  const ttft = histogram('vllm:time_to_first_token_seconds', 'Arrival to first token.', TTFT_SECONDS)
  const itl = histogram(
    'vllm:inter_token_latency_seconds',
    'Gap between two tokens of a request.',
    INTER_TOKEN_SECONDS,
  )
  const tpot = histogram(
    'vllm:request_time_per_output_token_seconds',
    'Decode time over tokens after the first, per request.',
    INTER_TOKEN_SECONDS,
  )
  const e2e = histogram('vllm:e2e_request_latency_seconds', 'Arrival to last token.', REQUEST_SECONDS)
  const queue = histogram('vllm:request_queue_time_seconds', 'Queued to first scheduled.', REQUEST_SECONDS)
  const inference = histogram(
    'vllm:request_inference_time_seconds',
    'First scheduled to last token.',
    REQUEST_SECONDS,
  )
  const prefill = histogram(
    'vllm:request_prefill_time_seconds',
    'First scheduled to first token.',
    REQUEST_SECONDS,
  )
  const decode = histogram('vllm:request_decode_time_seconds', 'First to last token.', REQUEST_SECONDS)
  const lengths = oneTwoFive(engine.maxModelLen)
  const promptTokens = histogram('vllm:request_prompt_tokens', 'Prompt tokens per request.', lengths)
  const generated = histogram('vllm:request_generation_tokens', 'Generated tokens per request.', lengths)
  const computed = histogram(
    'vllm:request_prefill_kv_computed_tokens',
    'Prompt tokens computed, not taken from the cache.',
    lengths,
  )
  const maxTokens = histogram('vllm:request_params_max_tokens', 'The max_tokens of requests.', lengths)
  const paramsN = histogram('vllm:request_params_n', 'The n of requests.', PARAMS_N)
  const stepTokens = histogram('vllm:iteration_tokens_total', 'Tokens scheduled per step.', STEP_TOKENS)
  const preemptions = histogram('vllm:request_num_preemptions', 'Preemptions of one request.', PREEMPTIONS)

  return {
    registry,
    requested: n => paramsN.observe(n),
    observer: {
      firstToken: seconds => ttft.observe(seconds),
      interToken: seconds => itl.observe(seconds),
      step: tokens => stepTokens.observe(tokens),
      finished(request) {
        success.inc({finished_reason: request.reason})
        e2e.observe(request.e2eSeconds)
        promptTokens.observe(request.promptTokens)
        generated.observe(request.generatedTokens)
        computed.observe(Math.max(0, request.promptTokens - request.cachedTokens))
        maxTokens.observe(request.maxTokens)
        preemptions.observe(request.preemptions)
        if (request.queueSeconds !== null) queue.observe(request.queueSeconds)
        if (request.prefillSeconds !== null) prefill.observe(request.prefillSeconds)
        if (request.inferenceSeconds !== null) inference.observe(request.inferenceSeconds)
        if (request.decodeSeconds === null) return
        decode.observe(request.decodeSeconds)
        if (request.generatedTokens > 1) tpot.observe(request.decodeSeconds / (request.generatedTokens - 1))
      },
    },
  }
}
