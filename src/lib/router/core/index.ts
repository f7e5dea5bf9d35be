export {LONGEST_WINDOW_MS} from './arrivals.js'
export type {Policy} from './choose-replica.js'
export {prefixHashes} from './prefix.js'
export {ReplicaSet, type Decision, type ReplicaLook} from './replica-set.js'
export {RouterCore} from './router-core.js'
export type {RequestOutcome} from './traffic.js'
export type {
  Effect,
  Input,
  ModelLook,
  ModelPlan,
  OrderRefusal,
  Phase,
  Refusal,
  RouterPlan,
  SleepReason,
  SleepRules,
} from './types.js'
