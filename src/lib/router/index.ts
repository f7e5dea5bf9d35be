export {
  controllerConfigOf,
  emptyControllerConfig,
  type BalanceBounds,
  type BalanceConfig,
  type ControllerConfig,
  type ModelConfig,
} from './config/controller-config.js'
export {argumentOf, type EngineKind, type Instance} from './config/instance.js'
export {createControllerClient, ORDER_MS, type ControllerClient} from './controller-client.js'
export {CONTROLLER_KEYS} from './config/schema.js'
export {LONGEST_WINDOW_MS, prefixHashes, type Decision, type ModelLook} from './core/index.js'
export {DESTINATION_HEADER, destinationsOf, endpointOf, SERVED_HEADER} from './destinations.js'
export type {RouteRequest, RouteSink, RouteStory} from './exchange.js'
export {
  actionJson,
  activeModelsJson,
  idleModelsJson,
  sleepCandidatesJson,
  sleepStatusJson,
  trafficJson,
  type ActionJson,
  type ActiveModelsJson,
  type IdleModelsJson,
  type SleepCandidatesJson,
  type SleepStatusJson,
  type TrafficJson,
} from './json.js'
export type {RouteError, RouterObserver} from './parts.js'
export {promptText} from './prompt-text.js'
export {Router, type Routed} from './router.js'
