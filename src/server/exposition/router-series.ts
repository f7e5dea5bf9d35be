import {Counter, Gauge, Histogram, type Registry} from 'prom-client'
import type {Router, RouterObserver} from '../../lib/router/index.js'

const FIRST_BYTE_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]
const CALL_BUCKETS_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300]
const PHASES = ['awake', 'falling', 'asleep', 'waking'] as const

/** What the router does and why. Names of models come from the configuration only, so that clients cannot make series. */
export function routerSeries(registers: Registry[], router: Router): RouterObserver {
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({name: `kvctl_router_${name}_total`, help, labelNames: [...labelNames], registers})
  const requests = counter('requests', 'Routed requests that are over.', ['model', 'outcome'])
  const refusals = counter('refusals', 'Requests that no engine got.', ['model', 'reason'])
  const decisions = counter('decisions', 'Requests sent to an engine, and why to this one.', [
    'model',
    'replica',
    'policy',
    'reason',
  ])
  const retries = counter('retries', 'Attempts that failed before the first byte.', ['model', 'reason'])
  const calls = counter('engine_calls', 'Calls that put engines to sleep or wake them.', [
    'model',
    'call',
    'because',
    'outcome',
  ])
  const callSeconds = new Histogram({
    name: 'kvctl_router_engine_call_seconds',
    help: 'How long engines took to fall asleep or wake.',
    labelNames: ['call'],
    buckets: CALL_BUCKETS_S,
    registers,
  })
  const firstByte = new Histogram({
    name: 'kvctl_router_first_byte_seconds',
    help: 'From sending a request to an engine to the first byte of its answer.',
    labelNames: ['model'],
    buckets: FIRST_BYTE_BUCKETS_S,
    registers,
  })
  const waited = new Histogram({
    name: 'kvctl_router_wait_seconds',
    help: 'How long requests waited for a model to wake, of those that had to.',
    labelNames: ['model'],
    buckets: CALL_BUCKETS_S,
    registers,
  })
  const gauge = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    show: (gauge: Gauge<L>) => void,
  ): void => {
    new Gauge({
      name: `kvctl_router_${name}`,
      help,
      labelNames: [...labelNames],
      registers,
      collect() {
        this.reset()
        show(this)
      },
    })
  }
  gauge('in_flight', 'Requests that engines have.', ['model'], one => {
    for (const {name: model, inFlight} of router.looks(1000)) one.set({model}, inFlight)
  })
  gauge('waiting', 'Requests that wait for a model to wake.', ['model'], one => {
    for (const {name: model, waiting} of router.looks(1000)) one.set({model}, waiting)
  })
  gauge('phase', '1 for the phase a model is in, 0 for the others.', ['model', 'phase'], one => {
    for (const {name: model, phase: now} of router.looks(1000))
      for (const phase of PHASES) one.set({model, phase}, phase === now ? 1 : 0)
  })
  gauge('idle_seconds', 'Time since the last activity of a model.', ['model'], one => {
    for (const {name: model, idleMs} of router.looks(1000)) one.set({model}, idleMs / 1000)
  })
  gauge('replica_in_flight', 'Requests that one engine has from here.', ['model', 'replica'], one => {
    for (const {name: model} of router.looks(1000))
      for (const {url: replica, inFlight} of router.replicas(model)) one.set({model, replica}, inFlight)
  })
  gauge('replica_up', 'Whether requests go to an engine: 1 or 0.', ['model', 'replica'], one => {
    for (const {name: model} of router.looks(1000))
      for (const {url: replica, circuit, isHealthy, isSleeping} of router.replicas(model))
        one.set({model, replica}, circuit !== 'open' && isHealthy !== false && !isSleeping ? 1 : 0)
  })
  return {
    forwarded: (model, {url: replica, policy, reason}) => decisions.inc({model, replica, policy, reason}),
    retried: (model, _, reason) => retries.inc({model, reason}),
    firstByte: (model, _, sinceForwardedMs) => firstByte.observe({model}, sinceForwardedMs / 1000),
    ended: (model, outcome) => requests.inc({model, outcome}),
    refused: (model, reason) => refusals.inc({model, reason}),
    waited: (model, waitedMs) => waited.observe({model}, waitedMs / 1000),
    called(model, call, because, isDone, tookMs) {
      calls.inc({model, call, because, outcome: isDone ? 'done' : 'failed'})
      callSeconds.observe({call}, tookMs / 1000)
    },
  }
}
