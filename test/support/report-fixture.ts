import {seededRandom} from '../../src/lib/foundation/index.js'
import type {MemorySample, ReportData, ReportRequest, ServerSample} from '../../src/lib/report/index.js'

export interface FixtureOptions {
  readonly requests: number
  readonly concurrency: number
  readonly failEvery?: number
  readonly hasMemory?: boolean
  readonly hostile?: string
}

/** A run of plausible shape, the same for the same options: what a report is drawn from, without files. */
export function reportFixture(options: FixtureOptions): ReportData {
  const random = seededRandom(7)
  const {requests, gaps} = fixtureRequests(options, () => random.unit())
  const failed = requests.filter(request => !request.isSuccess).length
  const spanMs = requests.reduce((end, request) => Math.max(end, request.sentMs + request.latencyMs), 0)
  const title = options.hostile ?? 'kvctl-toy-8b'
  return {
    runId: '2026-01-31_14-30-15',
    title,
    status: 'complete',
    startedAt: '2026-01-31T14:30:15Z',
    toolVersion: '0.1.0',
    facts: {
      totalRequests: requests.length,
      successfulRequests: requests.length - failed,
      warmupRequests: 4,
      durationMs: spanMs,
      concurrency: options.concurrency,
      throughputRps: requests.length / (spanMs / 1000),
      outputTokensPerSecond: (requests.length * 64) / (spanMs / 1000),
    },
    keyFigures: [
      {label: 'Latency p50', value: '612', unit: 'ms', detail: '95 % CI 604–621 ms'},
      {label: 'Latency p95', value: '1.04', unit: 's', detail: '95 % CI 0.98–1.12 s'},
      {label: 'Latency p99', value: '1.31', unit: 's', detail: 'of 193 successes'},
      {label: 'Mean time to first token', value: '83.4', unit: 'ms', detail: 'p95 141 ms'},
      {label: 'Throughput', value: '15.9', unit: 'requests/s', detail: 'successful ones'},
      {label: 'Output', value: '1 018', unit: 'tokens/s', detail: 'server usage'},
      {label: 'Success rate', value: '96.5', unit: '%', detail: '193 of 200'},
      {label: 'Error rate', value: '3.5', unit: '%', detail: '7 failed'},
    ],
    otherFigures: [
      {label: 'Cost per 1,000 tokens', value: null, unit: '', detail: 'no prices were given'},
      {label: 'Energy', value: null, unit: '', detail: 'no GPU power was sampled'},
      {label: 'GPU utilisation', value: null, unit: '', detail: 'no GPU was sampled'},
      {label: 'CPU', value: '0.62', unit: 'cores', detail: 'mean of the engine process'},
    ],
    metrics: [
      metric('TTFT', 83.4),
      metric('TTFT (scheduled)', 84.1),
      metric('TPOT', 8.8),
      metric('ICL', 8.7),
      metric('E2E', 640),
    ],
    measures: [['Requests per second, measured window', '15.9']],
    groups: [
      {
        ...{kind: 'Tenant', name: options.hostile ?? 'team-a', requests: 100, errorRate: 0.035},
        ...{requestsPerSecond: 7.9, tokensPerSecond: 509, ttftP50Ms: 80, ttftP95Ms: 141},
        ...{tpotP50Ms: 8.8, e2eP95Ms: 1040},
      },
    ],
    failures:
      failed === 0
        ? []
        : [
            {
              type: 'http_5xx',
              count: failed,
              share: failed / requests.length,
              firstSeenMs: 1234,
              example: options.hostile ?? '503 Service Unavailable: the waiting queue is full',
            },
          ],
    warnings:
      options.hostile === undefined
        ? [
            {
              code: 'tokens_estimated',
              message: 'No usage came with 3 answers; their tokens were counted as chunks.',
            },
          ]
        : [{code: options.hostile, message: options.hostile}],
    configuration: [
      ['Profile', 'cpu-smoke'],
      ['Target', 'http://127.0.0.1:8000/v1/chat/completions'],
      ['Model', title],
      ['Requests', String(options.requests)],
      ['Concurrency', String(options.concurrency)],
      ['Longest answer', '64 tokens'],
      ['Arrivals', 'closed loop'],
      ['Seed', '42'],
    ],
    environment: [
      ['kvctl', '0.1.0'],
      ['Node.js', 'v20.20.2'],
      ['Host', 'bench-1 · linux x64'],
      ['CPUs', '2 × AMD EPYC'],
      ['Server', options.hostile ?? 'kvctl engine 0.1.0'],
    ],
    rawKeys: [
      ['performance.p50_latency_ms', '612.041'],
      ['metadata.service', title],
      ['performance.p95_latency_ms', '1040.2'],
    ],
    requests,
    forEachGaps: async visit =>
      gaps.forEach((gapsMs, index) =>
        visit(
          index,
          gapsMs.map(gap => gap * 1000),
        ),
      ),
    memory: options.hasMemory === false ? [] : fixtureMemory(spanMs),
    server: options.hasMemory === false ? [] : fixtureServer(spanMs),
    serverFigures: [['Preemptions', '0']],
  }
}

function metric(name: string, p50: number): ReportData['metrics'][number] {
  return {
    name,
    unit: 'ms',
    count: 193,
    mean: p50 * 1.1,
    p50,
    p90: p50 * 1.5,
    p95: p50 * 1.7,
    p99: p50 * 2.1,
    max: p50 * 2.6,
    p50Interval: [p50 * 0.98, p50 * 1.02],
    p95Interval: [p50 * 1.6, p50 * 1.85],
  }
}

function fixtureRequests(
  options: FixtureOptions,
  next: () => number,
): {requests: ReportRequest[]; gaps: Float64Array[]} {
  const requests: ReportRequest[] = []
  const gaps: Float64Array[] = []
  const slots = new Float64Array(options.concurrency)
  for (let index = 0; index < options.requests; index++) {
    const slot = slots.indexOf(slots.reduce((least, value) => Math.min(least, value)))
    const sentMs = slots[slot]!
    const isSuccess = options.failEvery === undefined || index % options.failEvery !== options.failEvery - 1
    const ttftMs = 40 + 60 * next() + (next() > 0.95 ? 120 : 0)
    const gapsMs = Float64Array.from(
      {length: isSuccess ? 63 : 0},
      () => 7 + 3 * next() + (next() > 0.985 ? 25 : 0),
    )
    const e2eMs = ttftMs + gapsMs.reduce((sum, gap) => sum + gap, 0)
    requests.push({
      sentMs,
      ttftMs: isSuccess ? ttftMs : null,
      e2eMs: isSuccess ? e2eMs : null,
      latencyMs: isSuccess ? e2eMs + 0.4 : 30,
      outputTokens: isSuccess ? 64 : null,
      isSuccess,
    })
    gaps.push(gapsMs)
    slots[slot] = sentMs + requests.at(-1)!.latencyMs + 1
  }
  return {requests, gaps}
}

function fixtureMemory(spanMs: number): MemorySample[] {
  const mib = 1024 ** 2
  return Array.from({length: 120}, (_, at): MemorySample => {
    const atMs = (at / 119) * spanMs
    const limitBytes = atMs > spanMs / 2 ? 48 * mib : 96 * mib
    const usedBytes = Math.min(
      limitBytes - 4 * mib,
      2 * mib * Math.round(10 + 30 * Math.min(1, at / 20) + 4 * Math.sin(at / 5)),
    )
    return {atMs, usedBytes, preallocatedBytes: 4 * mib, limitBytes, kvCacheUsage: null}
  })
}

function fixtureServer(spanMs: number): readonly ServerSample[] {
  return Array.from({length: 40}, (_, at) => ({
    atMs: (spanMs * at) / 40,
    running: 8,
    waiting: at % 5,
    gpuUtilization: 0.8,
    gpuPowerWatts: 400 + at,
  }))
}
