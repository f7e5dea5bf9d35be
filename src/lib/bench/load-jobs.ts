import type {InferenceTarget} from '../inference/index.js'
import type {WorkItem} from '../workloads/index.js'
import type {BenchAsk} from './bench-ask.js'
import {isRateStage, slotStages} from './arrivals.js'
import type {BenchPlan} from './bench-plan.js'
import type {TransportTarget} from './load-transport.js'
import type {LoadJob} from './load-worker.js'
import type {RequestRoute} from './request-builder.js'
import type {TokenFit} from './prompts.js'
import {dealOut, idsIn, type SendList} from './send-list.js'

export interface JobFacts {
  readonly targets: readonly InferenceTarget[]
  readonly runId: string
  readonly fit: TokenFit
  readonly list: SendList
}

/** One job for each load process; fewer than asked for when there is not a request, slot or place for each. */
export function loadJobs(ask: BenchAsk, facts: JobFacts): LoadJob[] {
  const {plan, isInsecure, apiKey, transport} = ask
  const {targets, runId, fit, list} = facts
  const places = leastPlaces(plan)
  const workers = Math.max(1, Math.min(ask.workers, list.ids.length, places))
  const [first] = targets
  const common = {
    transport,
    targets: targets.map(({baseUrl}) => ({
      ...addressOf(baseUrl),
      isInsecure,
      isKept: plan.options.connections === 'kept',
      limits: plan.limits,
    })),
    recipe: {
      runId,
      routes: targets.map(routeOf),
      model: first!.model,
      shape: plan.request,
      promptSeed: plan.promptSeed,
      fit,
      apiKey,
      urlOrder: plan.options.urlOrder,
      places: placesOf(plan),
    },
  }
  return dealOut(list, workers).map((own, worker) => ({
    ...common,
    plan: shareOf(plan, worker, workers),
    list: own,
    recipe: {...common.recipe, items: itemsOf(plan, own)},
  }))
}

/** Slots that every process must have at least one of. */
function leastPlaces({mode, concurrency, maxInFlight, options}: BenchPlan): number {
  if (mode === 'open') return maxInFlight ?? Infinity
  return Math.min(concurrency, ...slotStages(options.stages).map(stage => stage.concurrency))
}

/** What the requests of a list are, by id. */
export function itemsOf(
  {workload, warmupRequests}: BenchPlan,
  list: SendList,
): ReadonlyMap<number, WorkItem> | null {
  if (workload === null) return null
  const measured = [...idsIn(list)].filter(id => id > warmupRequests)
  return new Map(measured.map(id => [id, workload.items[id - warmupRequests - 1]!]))
}

/** The place of each conversation among all, by the id of its first request; null where each request is one. */
function placesOf({sessions, warmupRequests}: BenchPlan): ReadonlyMap<number, number> | null {
  if (sessions === null) return null
  let first = warmupRequests + 1
  return new Map(
    sessions.map((length, place) => {
      const id = first
      first += length
      return [id, place]
    }),
  )
}

/** Slots and places are dealt out; the schedule is in the list. */
function shareOf(plan: BenchPlan, worker: number, workers: number): BenchPlan {
  const share = (whole: number): number => Math.floor(whole / workers) + (worker < whole % workers ? 1 : 0)
  return {
    ...plan,
    options: {
      ...plan.options,
      stages: plan.options.stages.map(stage =>
        isRateStage(stage) ? stage : {...stage, concurrency: share(stage.concurrency)},
      ),
    },
    timesMs: null,
    workload: null,
    sessions: null,
    concurrency: Math.max(1, share(plan.concurrency)),
    users: {...plan.users, first: worker, step: workers},
    maxInFlight: plan.maxInFlight === null ? null : share(plan.maxInFlight),
  }
}

function routeOf({baseUrl, apiPath}: InferenceTarget): RequestRoute {
  const {host, port, isTls} = addressOf(baseUrl)
  const {pathname} = new URL(baseUrl)
  return {host, port, isTls, apiPath: `${pathname === '/' ? '' : pathname}${apiPath}`}
}

function addressOf(baseUrl: string): Pick<TransportTarget, 'host' | 'port' | 'isTls'> {
  const {protocol, hostname: host, port} = new URL(baseUrl)
  const isTls = protocol === 'https:'
  return {
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? (isTls ? 443 : 80) : Number(port),
    isTls,
  }
}
