import {
  gpusOfServer,
  meanOfGpus,
  readTimeSeries,
  sumOfGpus,
  type RunDirectory,
  type RunResults,
  type TimeSample,
} from '../runs/index.js'
import {formatCount, formatMs, formatNumber, formatPercent} from './format.js'
import type {ServerSample} from './report-data.js'

/** @param startMs first measured send, run time */
export async function readServerSamples(
  run: RunDirectory,
  startMs: number,
): Promise<readonly ServerSample[]> {
  const samples: ServerSample[] = []
  for await (const {at_ms: atMs, engine, gpus} of readTimeSeries(run)) {
    if (!engine && !gpus) continue
    samples.push({
      atMs: atMs - startMs,
      running: engine?.running ?? null,
      waiting: engine?.waiting ?? null,
      ...gpuFigures(gpus),
    })
  }
  return samples
}

function gpuFigures(gpus: TimeSample['gpus']): Pick<ServerSample, 'gpuUtilization' | 'gpuPowerWatts'> {
  const serving = gpusOfServer(gpus)
  return {
    gpuUtilization: meanOfGpus(serving, gpu => gpu.utilization),
    gpuPowerWatts: sumOfGpus(serving, gpu => gpu.power_watts),
  }
}

/** What the server counted of itself, in words. */
export function serverPairs({server}: RunResults): readonly (readonly [string, string])[] {
  if (server === null) return []
  const known = <T>(name: string, value: T | null, format: (value: T) => string): [string, string][] =>
    value === null ? [] : [[name, format(value)]]
  const NAMES: Readonly<Record<string, string>> = {
    ttft: 'TTFT, as the server measures it',
    queue: 'Wait in the queue',
    prefill: 'Prefill',
    decode: 'Decode',
    e2e: 'E2E, as the server measures it',
    itl: 'ITL, as the server measures it',
  }
  return [
    ...known('Where the time to the first token went', server.cause, ({message}) => message),
    ...known('Output tokens', server.generation_tokens, formatCount),
    ...known('Prompt tokens', server.prompt_tokens, formatCount),
    ...known('Prompt tokens found in the prefix cache', server.prefix_cache_hit_ratio, formatPercent),
    ...known('… in an external cache', server.external_cache_hit_ratio, formatPercent),
    ...known('Preemptions', server.preemptions, formatCount),
    ...known('Drafted tokens accepted', server.draft_acceptance_rate, formatPercent),
    ...known('Tokens of a step with drafts', server.draft_acceptance_length, formatNumber),
    ...Object.entries(server.distributions).flatMap(([name, {mean, p95, within}]) => {
      const precision = within.p95 === null ? '' : ` (buckets of ${formatMs(within.p95)})`
      return mean === null || p95 === null
        ? []
        : [[NAMES[name] ?? name, `mean ${formatMs(mean)}, p95 ${formatMs(p95)}${precision}`] as const]
    }),
    ...Object.entries(server.ttft_correlation).map(
      ([name, value]) =>
        [`Rank correlation of TTFT p95 with ${name.replaceAll('_', ' ')}`, value.toFixed(2)] as const,
    ),
  ]
}
