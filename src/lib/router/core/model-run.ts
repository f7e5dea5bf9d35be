import {Traffic} from './traffic.js'
import type {ModelLook, ModelPlan, Phase} from './types.js'

export interface Waiter {
  readonly arrivedMs: number
  readonly deadlineMs: number
}

/** What is known of one model while the router runs. */
export class ModelRun {
  plan: ModelPlan
  phase: Phase = 'awake'
  phaseSinceMs: number
  lastActivityMs: number
  isManual = false
  /** Takes no new requests, so that it can sleep for the sake of another model once the running ones have ended. */
  isDraining = false
  /** Earliest moment of the next wake call: the minimum sleep, then back-off. */
  wakeNotBeforeMs = 0
  wakeFailures = 0
  /** Engines that would not sleep are left alone for a while. */
  sleepNotBeforeMs = 0
  sleepFailures = 0
  /** Arrival of each request that an engine has. */
  readonly inFlight = new Map<number, number>()
  /** In order of arrival. */
  readonly waiting = new Map<number, Waiter>()
  /** People who wait for it to wake: deadline by command. */
  readonly wakeOrders = new Map<number, Waiter>()
  sleepOrder: number | null = null
  readonly traffic = new Traffic()

  constructor(plan: ModelPlan, nowMs: number) {
    this.plan = plan
    this.phaseSinceMs = nowMs
    this.lastActivityMs = nowMs
  }

  enter(phase: Phase, nowMs: number): void {
    this.phase = phase
    this.phaseSinceMs = nowMs
    if (phase !== 'awake') return
    this.lastActivityMs = nowMs
    this.isManual = false
    this.isDraining = false
  }

  get isWanted(): boolean {
    return this.phase === 'asleep' && this.waiting.size + this.wakeOrders.size > 0
  }

  /** Whether it has its share of the group's memory, or is about to have it. */
  get holdsMemory(): boolean {
    return this.phase !== 'asleep'
  }

  get isBusy(): boolean {
    return this.inFlight.size > 0 || this.waiting.size > 0
  }

  /** When the first of those who wait came. */
  get wantedSinceMs(): number {
    const [request] = this.waiting.values()
    const [order] = this.wakeOrders.values()
    return Math.min(request?.arrivedMs ?? Infinity, order?.arrivedMs ?? Infinity)
  }

  idleMs(nowMs: number): number {
    return this.isBusy ? 0 : nowMs - this.lastActivityMs
  }

  look(windowMs: number, nowMs: number): ModelLook {
    const {plan, phase, phaseSinceMs, isManual, lastActivityMs, traffic} = this
    return {
      ...plan,
      ...{phase, isManual, lastActivityMs},
      sinceMs: phaseSinceMs,
      inFlight: this.inFlight.size,
      waiting: this.waiting.size,
      idleMs: this.idleMs(nowMs),
      began: traffic.began,
      succeeded: traffic.succeeded,
      failed: traffic.failed,
      meanResponseMs: traffic.meanResponseMs,
      rate: traffic.rate(windowMs, nowMs),
    }
  }
}
