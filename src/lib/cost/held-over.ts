import type {PricedGpus, PricedPod, Pricing} from '../runs/index.js'
import {hourlyCost} from './run-cost.js'

/** A time span, Unix milliseconds. */
export interface TimeSpan {
  readonly fromMs: number
  readonly toMs: number
}

/**
 * What the pods of a pricing held on average over the parts of a run: each counts for the part of them in which it ran, from the
 * start of its first container to the end of its last. What was priced without pods is as it is.
 */
export function heldOver(pricing: Pricing, spans: readonly TimeSpan[]): Pricing {
  const length = spans.reduce((sum, {fromMs, toMs}) => sum + toMs - fromMs, 0)
  return together(pricing, pod => (length <= 0 ? 0 : overlaps(runningOf(pod), spans) / length))
}

/** What pods hold that are ready now. */
export function heldNow(pricing: Pricing): Pricing {
  return together({...pricing, pods: pricing.pods.filter(isReadyNow)}, () => 1)
}

/** What one pod holds while it runs. */
export function heldBy(pod: PricedPod, pricing: Pricing): Pricing {
  return together({...pricing, pods: [pod]}, () => 1)
}

export function isReadyNow({finished_at: finished, ready}: PricedPod): boolean {
  return finished === null && ready.at(-1)?.to === null
}

/**
 * What the starts of pods cost within the parts of a run: what they held from when they were made until they were ready.
 *
 * @returns null where a price is unknown
 */
export function startCost(pricing: Pricing, spans: readonly TimeSpan[]): number | null {
  const starting = together(pricing, pod => {
    const [first] = pod.ready
    const madeMs = Date.parse(pod.created_at ?? '')
    const readyMs = first === undefined ? Infinity : Date.parse(first.from)
    if (Number.isNaN(madeMs)) return 0
    const running = runningOf(pod)
    const start = {fromMs: Math.max(madeMs, running.fromMs), toMs: Math.min(readyMs, running.toMs)}
    return overlaps(start, spans) / MS_PER_HOUR
  })
  return pricing.pods.length === 0 ? 0 : hourlyCost(starting).total
}

const MS_PER_HOUR = 3_600_000

/** @param shareOf how much of each pod counts */
function together(pricing: Pricing, shareOf: (pod: PricedPod) => number): Pricing {
  const {pods} = pricing
  if (pods.length === 0) return pricing
  const gpus = new Map<string, PricedGpus>()
  let [cores, gib] = [0, 0]
  for (const pod of pods) {
    const share = shareOf(pod)
    cores += (pod.cpu?.cores ?? 0) * share
    gib += (pod.memory?.gib ?? 0) * share
    for (const one of pod.gpus) {
      const key = `${one.product} ${one.hourly}`
      gpus.set(key, {...one, count: (gpus.get(key)?.count ?? 0) + one.count * share})
    }
  }
  const [cpu, memory] = [
    pods.find(pod => pod.cpu !== null)?.cpu,
    pods.find(pod => pod.memory !== null)?.memory,
  ]
  return {
    ...pricing,
    gpus: [...gpus.values()].filter(({count}) => count > 0),
    cpu: cpu ? {...cpu, cores} : null,
    memory: memory ? {...memory, gib} : null,
  }
}

/** A pod that never ran held nothing. */
function runningOf({started_at: started, finished_at: finished}: PricedPod): TimeSpan {
  if (started === null) return {fromMs: 0, toMs: 0}
  return {fromMs: Date.parse(started), toMs: finished === null ? Infinity : Date.parse(finished)}
}

function overlaps(one: TimeSpan, others: readonly TimeSpan[]): number {
  const overlap = (other: TimeSpan): number =>
    Math.max(0, Math.min(one.toMs, other.toMs) - Math.max(one.fromMs, other.fromMs))
  return others.reduce((sum, other) => sum + overlap(other), 0)
}
