import type {RequestOutcome} from './traffic.js'

/**
 * Where a model is. `falling` and `waking` are calls on their way to its engines; what a model in `falling` or `asleep` is
 * asked waits.
 */
export type Phase = 'awake' | 'falling' | 'asleep' | 'waking'

/** What the core must know of a model. Its engines are the shell's. */
export interface ModelPlan {
  readonly name: string
  /** Models of one group share memory in which not all of them fit. */
  readonly group: string | null
  /** Never chosen to sleep; a person may still send it to sleep. */
  readonly staysAwake: boolean
  /** Whether its engines can sleep at all. */
  readonly canSleep: boolean
}

/** When models sleep and how long requests wait for them. Times in ms. */
export interface SleepRules {
  readonly idleThresholdMs: number
  readonly checkIntervalMs: number
  readonly sleepsIdle: boolean
  readonly wakesOnRequest: boolean
  /** A wake waits until the model has slept so long. */
  readonly minSleepMs: number
  /** Nobody is put to sleep for another model before being awake so long: what keeps two models from taking turns without end. */
  readonly minAwakeMs: number
  /** Requests that may wait for one model. */
  readonly maxWaiting: number
}

export interface RouterPlan {
  readonly models: readonly ModelPlan[]
  /** How many models of a group may be awake at once. */
  readonly groups: ReadonlyMap<string, number>
  readonly rules: SleepRules
}

/** Why a request gets no engine. */
export type Refusal =
  /** as many wait as may */
  | 'full'
  /** its time was over before the model woke */
  | 'deadline'
  /** asleep, and requests wake nobody here */
  | 'asleep'
  /** the engine refused to wake, several times */
  | 'wake-failed'
  /** a new configuration has no such model */
  | 'removed'

/** Why an order of a person was not carried out. */
export type OrderRefusal =
  | 'awake already'
  | 'asleep already'
  | 'going to sleep already'
  | 'waking up'
  | 'requests in flight'
  | 'its engine cannot sleep'
  | 'its engine refused'
  | 'not in time'
  | 'not configured any more'

export type Input =
  | {readonly is: 'arrived'; readonly model: string; readonly request: number; readonly deadlineMs: number}
  | {readonly is: 'left'; readonly model: string; readonly request: number; readonly outcome: RequestOutcome}
  /** A call to the model's engines is over. */
  | {readonly is: 'slept' | 'woke'; readonly model: string; readonly isDone: boolean}
  /** What engines said when asked at `askedMs`: whether they sleep, by model. All at once, so that a start is judged as a whole. */
  | {readonly is: 'found'; readonly sleeping: ReadonlyMap<string, boolean>; readonly askedMs: number}
  | {
      readonly is: 'ordered'
      readonly order: 'sleep' | 'wake'
      readonly model: string
      readonly command: number
      readonly deadlineMs: number
    }
  | {readonly is: 'time'}

export type Effect =
  | {readonly do: 'forward'; readonly model: string; readonly request: number; readonly waitedMs: number}
  | {readonly do: 'refuse'; readonly model: string; readonly request: number; readonly why: Refusal}
  | {readonly do: 'sleep'; readonly model: string; readonly because: SleepReason}
  | {readonly do: 'wake'; readonly model: string}
  | {
      readonly do: 'settle'
      readonly model: string
      readonly command: number
      readonly why: OrderRefusal | null
    }

/** Why a model is put to sleep: idle, to make room in its group, or because a person wants it. */
export type SleepReason = 'idle' | 'budget' | 'ordered'

/** One model at one moment. */
export interface ModelLook {
  readonly name: string
  readonly phase: Phase
  /** When the phase began. */
  readonly sinceMs: number
  readonly isManual: boolean
  readonly canSleep: boolean
  readonly staysAwake: boolean
  readonly group: string | null
  readonly inFlight: number
  readonly waiting: number
  /** Start or end of a request, or a wake-up; at first when the model was configured. */
  readonly lastActivityMs: number
  /** 0 with a request in flight or waiting. */
  readonly idleMs: number
  /** Requests that began. */
  readonly began: number
  readonly succeeded: number
  readonly failed: number
  readonly meanResponseMs: number
  /** Per second, over the window that was asked for. */
  readonly rate: number
}
