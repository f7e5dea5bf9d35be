import {checkYaml, type YamlFile, type YamlPath} from '../../config/index.js'
import {ConfigurationError, parseSize} from '../../foundation/index.js'
import type {RouterPlan} from '../core/index.js'
import {InstanceError, readInstance, type EngineKind, type Instance} from './instance.js'
import {
  CONTROLLER_KEYS,
  controllerFile,
  defaultModelEntry,
  type ControllerFile,
  type ModelEntry,
  type ROUTING_POLICIES,
} from './schema.js'

export type RoutingPolicy = (typeof ROUTING_POLICIES)[number]

export interface ReplicaConfig {
  readonly url: string
  readonly weight: number
}

/** One model name behind the door, and the engines that serve it. */
export interface ModelConfig {
  readonly name: string
  readonly engine: EngineKind
  readonly replicas: readonly ReplicaConfig[]
  readonly routing: RoutingPolicy
  readonly sessionHeader: string
  /** Sent to its engines in place of the client's key. */
  readonly apiKey: string | null
  readonly sleepLevel: 1 | 2
}

/** How long requests wait for what, ms. */
export interface RouterLimits {
  /** From the arrival until a sleeping model is awake. */
  readonly waitMs: number
  /** From forwarding to the first byte, and between bytes. */
  readonly requestMs: number
  /** How long an engine that cannot be reached is tried again. */
  readonly retryMs: number
  readonly healthIntervalMs: number
}

/** One segment that `balance` moves the limit of. */
export interface BalanceBounds {
  readonly segment: string
  /** Of the engine behind it, whose metrics tell its demand; null when the file does not say. */
  readonly url: string | null
  readonly floorBytes: bigint | null
  readonly ceilingBytes: bigint | null
}

export interface BalanceConfig {
  /** null: the sum of the limits found. */
  readonly totalBytes: bigint | null
  readonly intervalMs: number
  /** Smaller moves than this share of the total are not worth a shrink. */
  readonly stepShare: number
  readonly bounds: readonly BalanceBounds[]
}

/** The controller's file, checked and with every default filled in. */
export interface ControllerConfig {
  readonly source: string
  readonly plan: RouterPlan
  readonly models: readonly ModelConfig[]
  readonly limits: RouterLimits
  /** null where the file does not switch the front end on. */
  readonly routerPort: number | null
  readonly instances: readonly Instance[]
  /** For every instance, below its own. */
  readonly kvcachedEnv: Readonly<Record<string, string>>
  readonly launchDelayMs: number
  readonly balance: BalanceConfig | null
  /** One line each, for stderr. */
  readonly warnings: readonly string[]
}

const CODE = 'CONTROLLER_INVALID'

const NO_FILE = controllerFile.omit({instances: true}).parse({})

/** A router without a model, for a server that was given no file. */
export const emptyControllerConfig: ControllerConfig = {
  source: '',
  models: [],
  plan: planOf(NO_FILE, []),
  limits: limitsOf(NO_FILE),
  routerPort: null,
  instances: [],
  kvcachedEnv: {},
  launchDelayMs: 0,
  balance: null,
  warnings: [],
}

/**
 * A parsed YAML file of kvcached's controller, with kvctl's additions.
 *
 * @param environment where `api_key_env` looks
 * @throws ConfigurationError `CONTROLLER_INVALID` (`file:line: why`)
 */
export function controllerConfigOf(yaml: YamlFile, environment: NodeJS.ProcessEnv): ControllerConfig {
  const own = Object.entries(yaml.value ?? {}).filter(([key]) => CONTROLLER_KEYS.includes(key))
  const file = checkYaml({...yaml, value: Object.fromEntries(own)}, controllerFile, CODE)
  const refuse = (path: YamlPath, why: string): never => {
    throw new ConfigurationError(CODE, `${yaml.source}:${yaml.lineOf(path)}: ${path.join('.')}: ${why}`)
  }
  const warnings: string[] = []
  const warn = (path: YamlPath, why: string): void => {
    warnings.push(`${yaml.source}:${yaml.lineOf(path)}: ${path.join('.')}: ${why}`)
  }
  const instances = file.instances.map((entry, index) => {
    try {
      return readInstance(entry)
    } catch (error) {
      if (error instanceof InstanceError) return refuse(['instances', index, error.key], error.message)
      throw error
    }
  })
  if (file.router.router_host !== undefined)
    warn(['router', 'router_host'], 'means nothing here, as upstream: kvctl serve --host decides')

  const byModel = new Map<string, Instance[]>()
  for (const [index, instance] of instances.entries()) {
    if (instance.url === null) {
      warn(['instances', index], `'${instance.name}' has neither url nor --port, so it gets no requests`)
      continue
    }
    const others = byModel.get(instance.model) ?? []
    if (others.some(({url}) => url === instance.url))
      refuse(['instances', index], `'${instance.model}' has two instances at ${instance.url}`)
    if (others.some(({engine}) => engine !== instance.engine))
      refuse(['instances', index, 'engine'], `'${instance.model}' has instances of another engine`)
    byModel.set(instance.model, [...others, instance])
  }
  for (const name of Object.keys(file.models))
    if (!byModel.has(name)) refuse(['models', name], 'no instance serves this model')
  const models = [...byModel].map(([name, replicas]): ModelConfig => {
    const entry = file.models[name] ?? defaultModelEntry
    if (entry.group !== undefined && !(entry.group in file.groups))
      refuse(['models', name, 'group'], `there is no group '${entry.group}'`)
    return {
      name,
      engine: replicas[0]!.engine,
      replicas: replicas.map(({url, weight}) => ({url: url!, weight})),
      routing: entry.routing,
      sessionHeader: entry.session_header,
      apiKey: apiKeyOf(entry, environment, why => refuse(['models', name], why)),
      sleepLevel: entry.sleep_level,
    }
  })
  return {
    source: yaml.source,
    plan: planOf(file, models),
    models,
    limits: limitsOf(file),
    routerPort: file.router.enable_router && file.router.router_port > 0 ? file.router.router_port : null,
    instances,
    kvcachedEnv: Object.fromEntries(
      Object.entries(file.kvcached ?? {}).map(([key, value]) => [key.toUpperCase(), textOf(value)]),
    ),
    launchDelayMs: file.launch_delay_seconds * 1000,
    balance: balanceOf(file, instances, (path, why) => refuse(['balance', ...path], why)),
    warnings,
  }
}

function limitsOf({router}: Pick<ControllerFile, 'router'>): RouterLimits {
  return {
    waitMs: router.wait_timeout_seconds * 1000,
    requestMs: router.request_timeout_seconds * 1000,
    retryMs: router.retry_seconds * 1000,
    healthIntervalMs: router.health_interval_seconds * 1000,
  }
}

function planOf(
  {models, groups, sleep_manager: sleep, router}: Omit<ControllerFile, 'instances'>,
  served: readonly ModelConfig[],
): RouterPlan {
  return {
    models: served.map(({name, engine}) => ({
      name,
      group: models[name]?.group ?? null,
      staysAwake: models[name]?.keep_awake ?? false,
      canSleep: engine !== 'openai',
    })),
    groups: new Map(Object.entries(groups).map(([name, {max_awake: most}]) => [name, most])),
    rules: {
      idleThresholdMs: sleep.idle_threshold_seconds * 1000,
      checkIntervalMs: sleep.check_interval_seconds * 1000,
      sleepsIdle: sleep.auto_sleep_enabled,
      wakesOnRequest: sleep.wakeup_on_request,
      minSleepMs: sleep.min_sleep_duration * 1000,
      minAwakeMs: sleep.min_awake_duration * 1000,
      maxWaiting: router.max_waiting,
    },
  }
}

function apiKeyOf(
  entry: ModelEntry,
  environment: NodeJS.ProcessEnv,
  refuse: (why: string) => never,
): string | null {
  if (entry.api_key !== undefined) return entry.api_key
  if (entry.api_key_env === undefined) return null
  return environment[entry.api_key_env] || refuse(`api_key_env: ${entry.api_key_env} is not set`)
}

function balanceOf(
  {balance}: ControllerFile,
  instances: readonly Instance[],
  refuse: (path: YamlPath, why: string) => never,
): BalanceConfig | null {
  if (!balance) return null
  const bytes = (value: string | number | undefined, path: YamlPath): bigint | null => {
    if (value === undefined) return null
    try {
      return parseSize(String(value))
    } catch (error) {
      return refuse(path, (error as Error).message)
    }
  }
  const named = instances.flatMap(({segment}) => (segment === null ? [] : [segment]))
  const segments = [...new Set([...Object.keys(balance.segments), ...named])]
  if (segments.length < 2)
    refuse(['segments'], 'balancing takes two segments; name them here or at instances')
  return {
    totalBytes: bytes(balance.total, ['total']),
    intervalMs: balance.interval_seconds * 1000,
    stepShare: balance.step_percent / 100,
    bounds: segments.map(segment => ({
      segment,
      url: instances.find(one => one.segment === segment)?.url ?? null,
      floorBytes: bytes(balance.segments[segment]?.floor, ['segments', segment, 'floor']),
      ceilingBytes: bytes(balance.segments[segment]?.ceiling, ['segments', segment, 'ceiling']),
    })),
  }
}

/** As Python writes a value of YAML into the environment. */
function textOf(value: string | number | boolean): string {
  return typeof value === 'boolean' ? (value ? 'true' : 'false') : String(value)
}
