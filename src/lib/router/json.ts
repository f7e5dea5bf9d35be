import type {ModelLook} from './core/index.js'
import type {ControllerConfig} from './config/controller-config.js'

/**
 * The documents of kvcached's controller, key by key, with ours behind them. Times are Unix seconds, rates per second.
 *
 * @see ovg-project/kvcached:controller/frontend.py
 */

export interface TrafficJson {
  readonly total_requests: number
  readonly successful_requests: number
  readonly failed_requests: number
  readonly request_rate: number
  readonly avg_response_time: number
  readonly last_activity_time: number
  readonly idle_time_seconds: number
  readonly is_idle: boolean
  readonly in_flight_requests: number
  readonly waiting_requests: number
}

/** @param thresholdMs idle means strictly longer without activity */
export function trafficJson(look: ModelLook, thresholdMs: number): TrafficJson {
  return {
    total_requests: look.succeeded + look.failed,
    successful_requests: look.succeeded,
    failed_requests: look.failed,
    request_rate: look.rate,
    avg_response_time: look.meanResponseMs / 1000,
    last_activity_time: look.lastActivityMs / 1000,
    idle_time_seconds: look.idleMs / 1000,
    is_idle: isIdle(look, thresholdMs),
    in_flight_requests: look.inFlight,
    waiting_requests: look.waiting,
  }
}

export function isIdle({idleMs}: ModelLook, thresholdMs: number): boolean {
  return idleMs > thresholdMs
}

/** Models that automatic sleep would take: awake, idle, able to sleep and not kept awake. */
export function sleepCandidates(looks: readonly ModelLook[], thresholdMs: number): ModelLook[] {
  return looks.filter(
    look => look.phase === 'awake' && look.canSleep && !look.staysAwake && isIdle(look, thresholdMs),
  )
}

export interface IdleModelsJson {
  readonly idle_models: readonly string[]
  readonly idle_threshold_seconds: number
  readonly idle_model_details: Readonly<Record<string, IdleDetailsJson>>
  readonly idle_models_count: number
}

export interface IdleDetailsJson {
  readonly idle_time_seconds: number
  readonly total_requests: number
  readonly last_activity_time: number
}

export function idleModelsJson(looks: readonly ModelLook[], thresholdMs: number): IdleModelsJson {
  const idle = looks.filter(look => isIdle(look, thresholdMs))
  return {
    idle_models: idle.map(({name}) => name),
    idle_threshold_seconds: thresholdMs / 1000,
    idle_model_details: Object.fromEntries(idle.map(look => [look.name, idleDetails(look)])),
    idle_models_count: idle.length,
  }
}

function idleDetails(look: ModelLook): IdleDetailsJson {
  return {
    idle_time_seconds: look.idleMs / 1000,
    total_requests: look.succeeded + look.failed,
    last_activity_time: look.lastActivityMs / 1000,
  }
}

export interface ActiveModelsJson {
  readonly active_models: readonly string[]
  readonly idle_threshold_seconds: number
  readonly window_seconds: number
  readonly active_model_details: Readonly<Record<string, ActiveDetailsJson>>
  readonly active_models_count: number
}

export interface ActiveDetailsJson {
  readonly request_rate: number
  readonly total_requests: number
  readonly avg_response_time: number
  readonly last_activity_time: number
}

/** @param windowMs of the rates in `looks` */
export function activeModelsJson(
  looks: readonly ModelLook[],
  thresholdMs: number,
  windowMs: number,
): ActiveModelsJson {
  const active = looks.filter(look => !isIdle(look, thresholdMs))
  return {
    active_models: active.map(({name}) => name),
    idle_threshold_seconds: thresholdMs / 1000,
    window_seconds: windowMs / 1000,
    active_model_details: Object.fromEntries(
      active.map(look => [
        look.name,
        {
          request_rate: look.rate,
          total_requests: look.succeeded + look.failed,
          avg_response_time: look.meanResponseMs / 1000,
          last_activity_time: look.lastActivityMs / 1000,
        },
      ]),
    ),
    active_models_count: active.length,
  }
}

export interface SleepStatusJson {
  readonly sleeping_models: Readonly<Record<string, SleepingJson>>
  readonly sleep_candidates: readonly string[]
  readonly auto_sleep_enabled: boolean
  readonly idle_threshold_seconds: number
  readonly wakeup_on_request: boolean
  /** awake, falling (going to sleep), asleep or waking, by model */
  readonly phases: Readonly<Record<string, string>>
}

export interface SleepingJson {
  readonly sleep_start_time: number
  readonly sleep_duration: number
  readonly manual_sleep: boolean
}

export function sleepStatusJson(
  looks: readonly ModelLook[],
  {plan: {rules}}: ControllerConfig,
  nowMs: number,
): SleepStatusJson {
  const asleep = looks.filter(({phase}) => phase === 'asleep')
  return {
    sleeping_models: Object.fromEntries(
      asleep.map(({name, sinceMs, isManual}) => [
        name,
        {
          sleep_start_time: sinceMs / 1000,
          sleep_duration: (nowMs - sinceMs) / 1000,
          manual_sleep: isManual,
        },
      ]),
    ),
    sleep_candidates: sleepCandidates(looks, rules.idleThresholdMs).map(({name}) => name),
    auto_sleep_enabled: rules.sleepsIdle,
    idle_threshold_seconds: rules.idleThresholdMs / 1000,
    wakeup_on_request: rules.wakesOnRequest,
    phases: Object.fromEntries(looks.map(({name, phase}) => [name, phase])),
  }
}

export interface SleepCandidatesJson {
  readonly sleep_candidates: readonly string[]
  readonly candidate_details: Readonly<Record<string, IdleDetailsJson & {readonly can_sleep: true}>>
  readonly idle_threshold_seconds: number
  readonly auto_sleep_enabled: boolean
}

export function sleepCandidatesJson(
  looks: readonly ModelLook[],
  {plan: {rules}}: ControllerConfig,
): SleepCandidatesJson {
  const candidates = sleepCandidates(looks, rules.idleThresholdMs)
  return {
    sleep_candidates: candidates.map(({name}) => name),
    candidate_details: Object.fromEntries(
      candidates.map(look => [look.name, {...idleDetails(look), can_sleep: true as const}]),
    ),
    idle_threshold_seconds: rules.idleThresholdMs / 1000,
    auto_sleep_enabled: rules.sleepsIdle,
  }
}

export interface ActionJson {
  readonly model_name: string
  readonly success: boolean
  readonly message: string
  /** Why not; absent on success. */
  readonly reason?: string
}

/** Upstream's sentences: `Model M sleep request successful`, `Model M wake request failed`. */
export function actionJson(order: 'sleep' | 'wake', model: string, why: string | null): ActionJson {
  const outcome = why === null ? 'successful' : 'failed'
  return {
    model_name: model,
    success: why === null,
    message: `Model ${model} ${order} request ${outcome}`,
    ...(why !== null && {reason: why}),
  }
}
