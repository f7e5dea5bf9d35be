import {NetworkError} from '../foundation/index.js'
import {checkHealth, isEngineSleeping} from '../inference/index.js'
import {callEngines} from './call-engines.js'
import type {ControllerConfig, ModelConfig} from './config/controller-config.js'
import {
  RouterCore,
  type Effect,
  type Input,
  type ModelLook,
  type OrderRefusal,
  type Refusal,
  type ReplicaLook,
  type SleepReason,
} from './core/index.js'
import {Door} from './door.js'
import {Exchange, type RouteRequest, type RouteSink} from './exchange.js'
import {modelCard, type ModelCard} from './model-cards.js'
import {noObserver, type RouterObserver, type RouterParts} from './parts.js'
import {watchEngines} from './watch-engines.js'

/** A request that was taken on. */
export interface Routed {
  resume(): void
  /** The client left. */
  cancel(): void
}

interface Pending {
  readonly forward: (waitedMs: number) => void
  readonly refuse: (why: Refusal) => void
}

/** What a refusal means for who asked. */
const MEANING: Readonly<Record<Refusal, (model: string) => string>> = {
  full: model => `too many requests wait for '${model}' to wake up`,
  deadline: model => `'${model}' did not wake up in time`,
  asleep: model => `'${model}' is asleep, and requests do not wake it`,
  'wake-failed': model => `'${model}' could not be woken`,
  removed: model => `'${model}' is not served any more`,
}

/**
 * Many models behind one door: sends requests on, wakes who is asked, lets sleep who is idle. Decisions are the core's; this
 * carries them out.
 */
export class Router {
  readonly #parts: RouterParts
  #config: ControllerConfig
  readonly #core: RouterCore
  readonly #doors = new Map<string, Door>()
  /** Those who wait. A request that goes on at once never gets in: a busy map keeps what was in it until a full collection. */
  readonly #pending = new Map<number, Pending>()
  #arriving: {readonly id: number; readonly pending: Pending} | null = null
  readonly #orders = new Map<number, (why: OrderRefusal | null) => void>()
  readonly #end = new AbortController()
  #observer: RouterObserver = noObserver
  #serial = 0
  #timer: NodeJS.Timeout | null = null
  #timerAtMs = Infinity
  readonly #epochMs: number
  readonly #startedMs: number

  /** Decides nothing before `start`. */
  constructor(config: ControllerConfig, parts: RouterParts) {
    this.#parts = parts
    this.#config = config
    // Unix time that never jumps.
    this.#epochMs = Date.now() - parts.clock.nowNs() / 1e6
    this.#startedMs = this.nowMs()
    this.#core = new RouterCore(config.plan, this.#startedMs)
    for (const model of config.models) this.#doors.set(model.name, this.#openDoor(model))
  }

  /** Asks every engine whether it sleeps, then begins to decide; the engines are watched until `close`. */
  async start(observer: RouterObserver = noObserver): Promise<void> {
    this.#observer = observer
    await this.#reconcile()
    this.#feed({is: 'time'})
    watchEngines(
      {
        doors: () => [...this.#doors.values()],
        reconcile: () => this.#reconcile(),
        http: this.#parts.http,
        clock: this.#parts.clock,
        logger: this.#parts.logger,
        healthIntervalMs: () => this.#config.limits.healthIntervalMs,
        checkIntervalMs: () => this.#config.plan.rules.checkIntervalMs,
      },
      this.#end.signal,
    )
  }

  /** Unix milliseconds. */
  nowMs(): number {
    return this.#epochMs + this.#parts.clock.nowNs() / 1e6
  }

  get config(): ControllerConfig {
    return this.#config
  }

  /** A model that is configured; null for any other. */
  model(name: string): ModelConfig | null {
    return this.#doors.get(name)?.config ?? null
  }

  /** Whether the way of a request to this model depends on its prompt. */
  readsPrompts(name: string): boolean {
    return this.#doors.get(name)?.replicas.readsPrompts ?? false
  }

  looks(windowMs: number): ModelLook[] {
    return this.#core.looks(windowMs, this.nowMs())
  }

  look(model: string, windowMs: number): ModelLook | null {
    return this.#core.look(model, windowMs, this.nowMs())
  }

  replicas(model: string): ReplicaLook[] {
    return this.#doors.get(model)?.replicas.looks(this.nowMs()) ?? []
  }

  /** Asks each engine of a model at this moment. */
  async health(model: string): Promise<Record<string, boolean>> {
    const door = this.#doors.get(model)
    if (!door) return {}
    const {replicas, apiKey} = door.config
    const answers = await Promise.all(
      replicas.map(async ({url}) => [url, await checkHealth(this.#parts.http, url, apiKey)] as const),
    )
    return Object.fromEntries(answers)
  }

  /** What `/v1/models` lists: every configured model, in the order of the file. */
  async cards(): Promise<ModelCard[]> {
    const doors = [...this.#doors.values()]
    return Promise.all(doors.map(({config}) => modelCard(this.#parts.http, config, this.#startedMs)))
  }

  /** Takes a request on. The sink hears of it, at once or when the model is awake. */
  route(model: string, request: RouteRequest, sink: RouteSink): Routed {
    const id = ++this.#serial
    const door = this.#doors.get(model)
    if (!door) {
      this.#observer.refused('', 'unknown-model')
      sink.fail('unknown-model', `The model \`${model}\` does not exist.`, false)
      return {resume() {}, cancel() {}}
    }
    let exchange: Exchange | null = null
    const pending: Pending = {
      forward: waitedMs => {
        if (waitedMs > 0) this.#observer.waited(model, waitedMs)
        const parts = {
          ...{door, limits: this.#config.limits, clock: this.#parts.clock, observer: this.#observer},
          nowMs: () => this.nowMs(),
        }
        exchange = new Exchange(request, sink, parts, waitedMs, outcome => {
          this.#observer.ended(model, outcome)
          this.#feed({is: 'left', model, request: id, outcome})
        })
      },
      refuse: why => {
        this.#observer.refused(model, why)
        sink.fail(why, MEANING[why](model), false)
      },
    }
    this.#arriving = {id, pending}
    const deadlineMs = this.nowMs() + this.#config.limits.waitMs
    this.#feed({is: 'arrived', model, request: id, deadlineMs})
    if (this.#takeArriving(id)) this.#pending.set(id, pending)
    return {
      resume: () => exchange?.resume(),
      cancel: () => {
        if (exchange) exchange.cancel()
        else if (this.#pending.delete(id)) {
          this.#observer.ended(model, 'cancelled')
          this.#feed({is: 'left', model, request: id, outcome: 'cancelled'})
        }
      },
    }
  }

  /**
   * Carries out a person's order.
   *
   * @returns why not; null when it is done
   */
  async order(order: 'sleep' | 'wake', model: string): Promise<OrderRefusal | null> {
    const command = ++this.#serial
    const settled = new Promise<OrderRefusal | null>(resolve => this.#orders.set(command, resolve))
    const deadlineMs = this.nowMs() + this.#config.limits.waitMs
    this.#feed({is: 'ordered', order, model, command, deadlineMs})
    return settled
  }

  /** A new configuration, without a stream being dropped: what runs runs to its end. */
  configure(config: ControllerConfig): void {
    this.#config = config
    const names = new Set(config.models.map(({name}) => name))
    for (const model of config.models) {
      const door = this.#doors.get(model.name)
      if (door) door.configure(model)
      else this.#doors.set(model.name, this.#openDoor(model))
    }
    for (const [name, door] of this.#doors) {
      if (names.has(name)) continue
      this.#doors.delete(name)
      void door.close()
    }
    this.#carryOut(this.#core.configure(config.plan, this.nowMs()))
    void this.#reconcile()
  }

  /** Stops deciding and watching; lets connections end. */
  async close(): Promise<void> {
    if (this.#end.signal.aborted) return
    this.#end.abort()
    if (this.#timer) clearTimeout(this.#timer)
    await Promise.all([...this.#doors.values()].map(door => door.close()))
    await this.#parts.http.close()
  }

  #openDoor(model: ModelConfig): Door {
    return new Door(model, origin => this.#parts.createPool(origin, this.#config.limits.requestMs))
  }

  #feed(input: Input): void {
    this.#carryOut(this.#core.feed(input, this.nowMs()))
  }

  #carryOut(effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.do) {
        case 'forward':
          this.#takePending(effect.request)?.forward(effect.waitedMs)
          break
        case 'refuse':
          this.#takePending(effect.request)?.refuse(effect.why)
          break
        case 'sleep':
          void this.#call('sleep', effect.model, effect.because)
          break
        case 'wake':
          void this.#call('wake', effect.model, 'wanted')
          break
        case 'settle':
          this.#orders.get(effect.command)?.(effect.why)
          this.#orders.delete(effect.command)
          break
      }
    }
    this.#arm()
  }

  #takeArriving(id: number): Pending | undefined {
    if (this.#arriving?.id !== id) return undefined
    const {pending} = this.#arriving
    this.#arriving = null
    return pending
  }

  #takePending(id: number): Pending | undefined {
    const arriving = this.#takeArriving(id)
    if (arriving) return arriving
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    return pending
  }

  async #call(call: 'sleep' | 'wake', model: string, because: SleepReason | 'wanted'): Promise<void> {
    const {http, logger} = this.#parts
    const door = this.#doors.get(model)
    const startedMs = this.nowMs()
    const isDone =
      door !== undefined && (await callEngines(http, call, door.sleepers, logger, this.#end.signal))
    if (this.#end.signal.aborted) return
    const tookMs = this.nowMs() - startedMs
    this.#observer.called(model, call, because, isDone, tookMs)
    if (isDone) {
      logger.info(
        `'${model}' ${call === 'sleep' ? 'sleeps' : 'is awake'} (${because}, ${Math.round(tookMs)} ms)`,
      )
      for (const {url} of door.sleepers) door.replicas.slept(url, call === 'sleep')
    }
    this.#feed({is: call === 'sleep' ? 'slept' : 'woke', model, isDone})
  }

  /** What the engines say of themselves counts, also after a restart of theirs or of ours. */
  async #reconcile(): Promise<void> {
    const askedMs = this.nowMs()
    const sleeping = new Map<string, boolean>()
    await Promise.all(
      [...this.#doors.values()].map(async door => {
        if (door.config.engine === 'openai') return
        const states = await Promise.all(
          door.sleepers.map(async engine => {
            const isSleeping = await isEngineSleeping(this.#parts.http, engine, this.#end.signal)
            return {url: engine.url, isSleeping}
          }),
        )
        const look = this.look(door.config.name, 1000)
        // An answer from before a call says nothing of after it.
        if (!look || look.sinceMs > askedMs || look.phase === 'falling' || look.phase === 'waking') return
        for (const {url, isSleeping} of states) if (isSleeping !== null) door.replicas.slept(url, isSleeping)
        const known = states.flatMap(({isSleeping}) => isSleeping ?? [])
        if (known.length > 0) sleeping.set(door.config.name, known.every(Boolean))
      }),
    ).catch((error: unknown) => {
      if (!this.#end.signal.aborted && !(error instanceof NetworkError)) throw error
    })
    this.#feed({is: 'found', sleeping, askedMs})
  }

  #arm(): void {
    const atMs = this.#core.nextDeadlineMs
    if (atMs === this.#timerAtMs || this.#end.signal.aborted) return
    if (this.#timer) clearTimeout(this.#timer)
    this.#timerAtMs = atMs
    // A timer may fire a little early; then it is simply set again.
    const delayMs = Math.min(Math.max(0, Math.ceil(atMs - this.nowMs())), 2 ** 31 - 1)
    this.#timer = setTimeout(() => {
      this.#timerAtMs = Infinity
      this.#feed({is: 'time'})
    }, delayMs)
  }
}
