import {chooseVictims} from './budget.js'
import {ModelRun} from './model-run.js'
import type {
  Effect,
  Input,
  ModelLook,
  OrderRefusal,
  Refusal,
  RouterPlan,
  SleepReason,
  SleepRules,
} from './types.js'

const WAKE_BACK_OFF_MS = 1000
const LONGEST_WAKE_BACK_OFF_MS = 30_000
/** After so many refusals in a row those who wait are told. */
const WAKE_ATTEMPTS = 3
const SLEEP_BACK_OFF_MS = 30_000
const LONGEST_SLEEP_BACK_OFF_MS = 600_000

/**
 * Decides who is forwarded, who waits, who sleeps and who wakes. Knows no network and no clock: what happened goes in with
 * its time, what is to be done comes out.
 *
 * A request to a sleeping model waits; the first one wakes it, once. Nothing sleeps with a request in flight. A group that
 * has no room lets its least recently used model sleep before another wakes.
 */
export class RouterCore {
  #rules: SleepRules
  #groups: ReadonlyMap<string, number>
  readonly #models = new Map<string, ModelRun>()
  #effects: Effect[] = []
  #nextCheckMs: number
  #deadlineMs: number

  /** Every model counts as awake until `found` says otherwise; nothing is decided before the first `feed`. */
  constructor({models, groups, rules}: RouterPlan, nowMs: number) {
    this.#rules = rules
    this.#groups = groups
    this.#nextCheckMs = nowMs + rules.checkIntervalMs
    this.#deadlineMs = nowMs
    for (const plan of models) this.#models.set(plan.name, new ModelRun(plan, nowMs))
  }

  /** A new configuration: models that stay keep their state, requests of those that go and still wait are refused. */
  configure({models, groups, rules}: RouterPlan, nowMs: number): readonly Effect[] {
    this.#rules = rules
    this.#groups = groups
    this.#nextCheckMs = Math.min(this.#nextCheckMs, nowMs + rules.checkIntervalMs)
    const names = new Set(models.map(({name}) => name))
    for (const [name, run] of this.#models) {
      if (names.has(name)) continue
      this.#refuseAll(run, 'removed', 'not configured any more')
      if (run.sleepOrder !== null) this.#settle(run, run.sleepOrder, 'not configured any more')
      this.#models.delete(name)
    }
    for (const plan of models) {
      const run = this.#models.get(plan.name)
      if (run) Object.assign(run, {plan, isDraining: false})
      else this.#models.set(plan.name, new ModelRun(plan, nowMs))
    }
    this.#decide(nowMs)
    return this.#take()
  }

  /** When `feed` wants to be called with `time` at the latest. */
  get nextDeadlineMs(): number {
    return this.#deadlineMs
  }

  has(model: string): boolean {
    return this.#models.has(model)
  }

  /** @param windowMs of the rate */
  looks(windowMs: number, nowMs: number): ModelLook[] {
    return [...this.#models.values()].map(run => run.look(windowMs, nowMs))
  }

  look(model: string, windowMs: number, nowMs: number): ModelLook | null {
    return this.#models.get(model)?.look(windowMs, nowMs) ?? null
  }

  /** @param nowMs never earlier than in the call before */
  feed(input: Input, nowMs: number): readonly Effect[] {
    if (input.is === 'time') {
      this.#decide(nowMs)
      return this.#take()
    }
    if (input.is === 'found') {
      for (const [model, isSleeping] of input.sleeping) this.#found(model, isSleeping, input.askedMs, nowMs)
      this.#decide(nowMs)
      return this.#take()
    }
    const run = this.#models.get(input.model)
    // A model that a new configuration dropped: nothing is left to decide.
    if (!run) return []
    switch (input.is) {
      case 'arrived':
        this.#arrived(run, input.request, input.deadlineMs, nowMs)
        break
      case 'left':
        this.#left(run, input, nowMs)
        break
      case 'slept':
        this.#slept(run, input.isDone, nowMs)
        break
      case 'woke':
        this.#woke(run, input.isDone, nowMs)
        break
      case 'ordered':
        if (input.order === 'sleep') this.#orderSleep(run, input.command, nowMs)
        else this.#orderWake(run, input.command, input.deadlineMs, nowMs)
        break
    }
    return this.#take()
  }

  #arrived(run: ModelRun, request: number, deadlineMs: number, nowMs: number): void {
    run.traffic.begin(nowMs)
    run.lastActivityMs = nowMs
    if (run.phase === 'awake' && !run.isDraining) {
      run.inFlight.set(request, nowMs)
      this.#effects.push({do: 'forward', model: run.plan.name, request, waitedMs: 0})
      return
    }
    const sleeps = run.phase === 'asleep' || run.phase === 'falling'
    if (sleeps && !this.#rules.wakesOnRequest) this.#refuse(run, request, 'asleep')
    else if (run.waiting.size >= this.#rules.maxWaiting) this.#refuse(run, request, 'full')
    else {
      run.waiting.set(request, {arrivedMs: nowMs, deadlineMs})
      this.#decide(nowMs)
    }
  }

  #left(run: ModelRun, {request, outcome}: Input & {is: 'left'}, nowMs: number): void {
    const arrivedMs = run.inFlight.get(request) ?? run.waiting.get(request)?.arrivedMs
    if (arrivedMs === undefined) return
    const hasWaited = run.waiting.delete(request)
    run.inFlight.delete(request)
    run.lastActivityMs = nowMs
    run.traffic.end(outcome, nowMs - arrivedMs)
    // The way of almost every request: nobody waits for this one to end.
    if (hasWaited || run.isDraining || this.#groupWants(run)) this.#decide(nowMs)
  }

  #slept(run: ModelRun, isDone: boolean, nowMs: number): void {
    if (run.phase !== 'falling') return
    const order = run.sleepOrder
    run.sleepOrder = null
    if (order !== null) this.#settle(run, order, isDone ? null : 'its engine refused')
    if (isDone) {
      run.enter('asleep', nowMs)
      run.isManual = order !== null
      run.sleepFailures = 0
      run.wakeFailures = 0
      run.wakeNotBeforeMs = nowMs + this.#rules.minSleepMs
    } else {
      const {lastActivityMs} = run
      run.enter('awake', nowMs)
      run.lastActivityMs = lastActivityMs
      const backOffMs = Math.min(SLEEP_BACK_OFF_MS * 2 ** run.sleepFailures++, LONGEST_SLEEP_BACK_OFF_MS)
      run.sleepNotBeforeMs = nowMs + backOffMs
    }
    this.#decide(nowMs)
  }

  #woke(run: ModelRun, isDone: boolean, nowMs: number): void {
    if (run.phase !== 'waking') return
    if (isDone) {
      run.enter('awake', nowMs)
      run.wakeFailures = 0
      this.#decide(nowMs)
      return
    }
    run.enter('asleep', nowMs)
    run.wakeFailures++
    run.wakeNotBeforeMs =
      nowMs + Math.min(WAKE_BACK_OFF_MS * 2 ** (run.wakeFailures - 1), LONGEST_WAKE_BACK_OFF_MS)
    for (const command of run.wakeOrders.keys()) this.#settle(run, command, 'its engine refused')
    run.wakeOrders.clear()
    if (run.wakeFailures >= WAKE_ATTEMPTS) this.#refuseAll(run, 'wake-failed', 'its engine refused')
    this.#decide(nowMs)
  }

  #found(model: string, isSleeping: boolean, askedMs: number, nowMs: number): void {
    const run = this.#models.get(model)
    if (!run || run.phaseSinceMs > askedMs) return
    // During a call the answer to it decides.
    if (run.phase !== (isSleeping ? 'awake' : 'asleep')) return
    run.enter(isSleeping ? 'asleep' : 'awake', nowMs)
    // Since when it sleeps is not known, so nobody waits for a minimum.
    run.wakeNotBeforeMs = nowMs
  }

  #orderSleep(run: ModelRun, command: number, nowMs: number): void {
    const why = sleepRefusal(run)
    if (why !== null) {
      this.#settle(run, command, why)
      return
    }
    run.sleepOrder = command
    this.#sleep(run, 'ordered', nowMs)
  }

  #orderWake(run: ModelRun, command: number, deadlineMs: number, nowMs: number): void {
    if (run.phase === 'awake') {
      this.#settle(run, command, 'awake already')
      return
    }
    run.wakeOrders.set(command, {arrivedMs: nowMs, deadlineMs})
    this.#decide(nowMs)
  }

  /** Everything that follows from the state at this moment, and when to look again. */
  #decide(nowMs: number): void {
    const runs = [...this.#models.values()]
    const later: number[] = []
    for (const run of runs) this.#expire(run, nowMs, later)
    for (const run of runs) this.#admit(run, nowMs)
    if (nowMs >= this.#nextCheckMs) {
      this.#nextCheckMs = nowMs + this.#rules.checkIntervalMs
      if (this.#rules.sleepsIdle) this.#sleepIdle(runs, nowMs)
    }
    for (const [group, maxAwake] of this.#groups) {
      this.#balanceGroup(
        runs.filter(run => run.plan.group === group),
        maxAwake,
        nowMs,
        later,
      )
    }
    for (const run of runs) {
      const isFree = run.plan.group === null || !this.#groups.has(run.plan.group)
      if (isFree && run.isWanted) this.#wakeWhenMay(run, nowMs, later)
    }
    this.#deadlineMs = Math.min(this.#nextCheckMs, ...later)
  }

  #expire(run: ModelRun, nowMs: number, later: number[]): void {
    for (const [request, {deadlineMs}] of run.waiting) {
      if (deadlineMs > nowMs) {
        later.push(deadlineMs)
        continue
      }
      run.waiting.delete(request)
      this.#refuse(run, request, 'deadline')
    }
    for (const [command, {deadlineMs}] of run.wakeOrders) {
      if (deadlineMs > nowMs) {
        later.push(deadlineMs)
        continue
      }
      run.wakeOrders.delete(command)
      this.#settle(run, command, 'not in time')
    }
  }

  /** Those who waited go first, in their order. */
  #admit(run: ModelRun, nowMs: number): void {
    if (run.phase !== 'awake' || run.isDraining) return
    for (const command of run.wakeOrders.keys()) this.#settle(run, command, null)
    run.wakeOrders.clear()
    for (const [request, {arrivedMs}] of run.waiting) {
      run.inFlight.set(request, arrivedMs)
      const waitedMs = nowMs - arrivedMs
      this.#effects.push({do: 'forward', model: run.plan.name, request, waitedMs})
    }
    run.waiting.clear()
  }

  #sleepIdle(runs: readonly ModelRun[], nowMs: number): void {
    for (const run of runs) {
      const mayLeave = run.plan.canSleep && !run.plan.staysAwake && nowMs >= run.sleepNotBeforeMs
      const isIdle = run.idleMs(nowMs) > this.#rules.idleThresholdMs
      if (run.phase === 'awake' && mayLeave && isIdle) this.#sleep(run, 'idle', nowMs)
    }
  }

  #balanceGroup(runs: readonly ModelRun[], maxAwake: number, nowMs: number, later: number[]): void {
    const {minAwakeMs} = this.#rules
    for (const run of runs) {
      if (run.isDraining && run.phase === 'awake' && run.inFlight.size === 0)
        this.#sleep(run, 'budget', nowMs)
    }
    const wanted = runs
      .filter(run => run.isWanted)
      .sort((a, b) => a.wantedSinceMs - b.wantedSinceMs || a.phaseSinceMs - b.phaseSinceMs)
    const due = wanted.filter(run => run.wakeNotBeforeMs <= nowMs)
    for (const run of wanted) if (!due.includes(run)) later.push(run.wakeNotBeforeMs)

    let held = runs.filter(run => run.holdsMemory).length
    for (const run of due) {
      if (held >= maxAwake) break
      held++
      this.#wake(run, nowMs)
    }
    const stillWanted = due.filter(run => run.phase === 'asleep').length
    const leaving = runs.filter(run => run.phase === 'falling' || run.isDraining)
    // What runs over the budget, after a start or a new configuration, leaves when it is idle.
    const needed = Math.max(0, held - maxAwake) + stillWanted - leaving.length
    if (needed > 0) {
      const awake = runs.filter(run => run.phase === 'awake' && !run.isDraining)
      const isPressing = stillWanted > 0
      const victims = chooseVictims(awake, needed, isPressing ? minAwakeMs : 0, nowMs)
      for (const run of victims.sleep) this.#sleep(run, 'budget', nowMs)
      if (isPressing) for (const run of victims.drain) run.isDraining = true
      later.push(victims.retryMs)
    } else if (needed < 0) {
      this.#spare(leaving, -needed, nowMs)
    }
  }

  /** Nobody wants the room any more that these were to make. */
  #spare(leaving: readonly ModelRun[], count: number, nowMs: number): void {
    for (const run of leaving.filter(one => one.isDraining && one.phase === 'awake').slice(-count)) {
      run.isDraining = false
      this.#admit(run, nowMs)
    }
  }

  #wakeWhenMay(run: ModelRun, nowMs: number, later: number[]): void {
    if (run.wakeNotBeforeMs <= nowMs) this.#wake(run, nowMs)
    else later.push(run.wakeNotBeforeMs)
  }

  #wake(run: ModelRun, nowMs: number): void {
    run.enter('waking', nowMs)
    this.#effects.push({do: 'wake', model: run.plan.name})
  }

  #sleep(run: ModelRun, because: SleepReason, nowMs: number): void {
    run.enter('falling', nowMs)
    run.isDraining = false
    this.#effects.push({do: 'sleep', model: run.plan.name, because})
  }

  #groupWants({plan}: ModelRun): boolean {
    if (plan.group === null || !this.#groups.has(plan.group)) return false
    for (const run of this.#models.values()) if (run.plan.group === plan.group && run.isWanted) return true
    return false
  }

  #refuse(run: ModelRun, request: number, why: Refusal): void {
    run.traffic.end('failed', 0)
    this.#effects.push({do: 'refuse', model: run.plan.name, request, why})
  }

  #refuseAll(run: ModelRun, why: Refusal, toOrders: OrderRefusal): void {
    for (const request of run.waiting.keys()) this.#refuse(run, request, why)
    run.waiting.clear()
    for (const command of run.wakeOrders.keys()) this.#settle(run, command, toOrders)
    run.wakeOrders.clear()
  }

  #settle({plan}: ModelRun, command: number, why: OrderRefusal | null): void {
    this.#effects.push({do: 'settle', model: plan.name, command, why})
  }

  #take(): readonly Effect[] {
    const effects = this.#effects
    if (effects.length > 0) this.#effects = []
    return effects
  }
}

/** Pure: why a person's wish that a model sleep cannot be met now; null when it can. */
function sleepRefusal(run: ModelRun): OrderRefusal | null {
  if (!run.plan.canSleep) return 'its engine cannot sleep'
  if (run.phase === 'asleep') return 'asleep already'
  if (run.phase === 'falling') return 'going to sleep already'
  if (run.phase === 'waking') return 'waking up'
  return run.isBusy ? 'requests in flight' : null
}
