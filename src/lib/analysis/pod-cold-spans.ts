import type {ClusterRecord, PodRecord, RequestTable} from '../runs/index.js'
import type {ColdSpan} from './cold-starts.js'
import type {ServerSeries} from './server-series.js'

interface Interval {
  readonly from: number
  readonly to: number
}

/** A request that makes a cluster start a pod is sent before the pod is made. */
const BEFORE_CREATION_MS = 5000

/**
 * The times in which no pod of a service was ready and one was starting: from five seconds before it was made, or from when it
 * was ready no more, until it was ready. Unix milliseconds, within the run.
 *
 * @see Siryoos/kserve-vllm-mini:analyze.py — which counts from the start of a container, and so misses the request that caused it
 */
export function podColdSpans({pods}: ClusterRecord, run: Interval): ColdSpan[] {
  const ready = pods.flatMap(pod => pod.ready.map(({from, to}) => intervalOf(from, to)))
  return pods
    .flatMap(pod => starting(pod))
    .map(({from, to}) => ({from: Math.max(from, run.from), to: Math.min(to, run.to)}))
    .flatMap(interval => without(interval, ready))
    .sort((one, other) => one.from - other.from)
    .map(({from, to}) => ({fromMs: from, toMs: to, kind: 'pod'}))
}

/** When a pod was on its way to be ready. */
function starting({created_at: created, finished_at: finished, ready}: PodRecord): Interval[] {
  const starts = ready.map(({from}) => Date.parse(from))
  const ends = ready.map(({to}) => (to === null ? Infinity : Date.parse(to)))
  const madeAt = created === null ? null : Date.parse(created) - BEFORE_CREATION_MS
  // One that was never ready kept requests waiting until it was gone.
  if (starts.length === 0)
    return madeAt === null ? [] : [{from: madeAt, to: intervalOf(created!, finished).to}]
  const first = madeAt === null ? [] : [{from: madeAt, to: starts[0]!}]
  return [...first, ...starts.slice(1).map((to, index) => ({from: ends[index]!, to}))]
}

/** What of an interval is in none of others. */
function without(interval: Interval, others: readonly Interval[]): Interval[] {
  let left: Interval[] = interval.to > interval.from ? [interval] : []
  for (const {from, to} of others) {
    left = left.flatMap(part => {
      if (to <= part.from || from >= part.to) return [part]
      return [
        ...(from > part.from ? [{from: part.from, to: from}] : []),
        ...(to < part.to ? [{from: to, to: part.to}] : []),
      ]
    })
  }
  return left
}

function intervalOf(from: string, to: string | null): Interval {
  return {from: Date.parse(from), to: to === null ? Infinity : Date.parse(to)}
}

/** Cold spans as the pods of the service show them, else its own metrics; null where nobody looked at either. */
export function coldSpansOf(
  table: RequestTable,
  {engineLooks, coldSpans}: Pick<ServerSeries, 'engineLooks' | 'coldSpans'>,
  cluster: ClusterRecord | null,
): readonly ColdSpan[] | null {
  if (cluster === null || cluster.pods.length === 0) return engineLooks < 2 ? null : coldSpans
  let [startUs, endUs] = [Infinity, -Infinity]
  for (let row = 0; row < table.count; row++) {
    const [sent, done] = [table.sentAtUs[row]!, table.doneAtUs[row]!]
    if (sent < startUs) startUs = sent
    if (done > endUs) endUs = done
  }
  const ofPods = table.wallSpans(startUs / 1000, endUs / 1000).flatMap(part => {
    const runMs = (wallMs: number): number => part.runMs + wallMs - part.fromMs
    return podColdSpans(cluster, {from: part.fromMs, to: part.toMs}).map(({fromMs, toMs, kind}) => ({
      ...{fromMs: runMs(fromMs), toMs: runMs(toMs), kind},
    }))
  })
  // A process that began anew is one of these pods; one that slept is none.
  return [...ofPods, ...coldSpans.filter(({kind}) => kind === 'wake')]
}
