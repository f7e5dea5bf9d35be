import {resolve} from 'node:path'
import {findModel} from '../engine/index.js'
import {ConfigurationError} from '../foundation/index.js'
import {argumentOf, type ControllerConfig, type EngineKind, type Instance} from '../router/index.js'
import {sanitizeName} from '../segments/index.js'

/** How one program is started. */
export interface LaunchCommand {
  /** Unique within the plan. */
  readonly name: string
  readonly engine: EngineKind | 'router'
  /** null for the router. */
  readonly model: string | null
  readonly file: string
  readonly args: readonly string[]
  /** On top of kvctl's own environment. */
  readonly env: Readonly<Record<string, string>>
  /** Where it will answer. */
  readonly url: string
  /** Whether it must show a kvcached segment once it answers. */
  readonly expectsSegment: boolean
  /** The name of that segment; null where it follows from the process group, which is known at the start. */
  readonly segment: string | null
}

/** What a controller's file starts, in this order. */
export interface LaunchPlan {
  /** Between one start and the next. */
  readonly delayMs: number
  readonly commands: readonly LaunchCommand[]
  /** Instances that are not started, and why. */
  readonly skipped: readonly {readonly name: string; readonly because: string}[]
  /** One line each, for stderr. */
  readonly warnings: readonly string[]
}

export interface LaunchSurroundings {
  /** kvctl's own PATH. */
  readonly path: string
  /** What `~` stands for. */
  readonly home: string
  /** Where relative paths begin. */
  readonly folder: string
  /** The words that start kvctl itself. */
  readonly kvctl: readonly [file: string, ...args: string[]]
}

const CODE = 'LAUNCH_INVALID'

/**
 * Pure: what is started for a controller's file, with upstream's commands and its order of environments (of all, of the engine,
 * of kvcached).
 *
 * @throws ConfigurationError `LAUNCH_INVALID` where nothing is to be started, or two programs would share a port or a segment
 * @see ovg-project/kvcached:controller/launch.py — the same commands, in tmux sessions
 */
export function planLaunch(config: ControllerConfig, surroundings: LaunchSurroundings): LaunchPlan {
  const skipped: {name: string; because: string}[] = []
  const warnings: string[] = []
  const names = new Set<string>()
  const commands: LaunchCommand[] = []
  for (const instance of config.instances) {
    const because = reasonToSkip(instance)
    if (because !== null) {
      skipped.push({name: instance.name, because})
      continue
    }
    const command = engineCommand(instance, config, surroundings, uniqueName(instance.name, names))
    commands.push(command)
    warnings.push(...sleepWarnings(command, config))
  }
  if (commands.length === 0) {
    throw new ConfigurationError(CODE, `${config.source} starts no engine`, {
      suggestions: skipped.map(({name, because}) => `${name}: ${because}`),
    })
  }
  if (config.routerPort !== null) commands.push(routerCommand(config, surroundings, names))
  refuseDoubles(config.source, 'port', commands, ({url}) => new URL(url).port || '80')
  refuseDoubles(config.source, 'segment', commands, ({segment}) => segment)
  return {delayMs: config.launchDelayMs, commands, skipped, warnings}
}

function reasonToSkip({url, isLaunched, engine}: Instance): string | null {
  if (!isLaunched) return `it runs already, at ${url}`
  if (engine === 'openai') return "kvctl knows no command that starts an 'openai' engine"
  return url === null ? 'its arguments have no --port' : null
}

function uniqueName(wanted: string, taken: Set<string>): string {
  let name = wanted
  for (let number = 2; taken.has(name); number++) name = `${wanted}-${number}`
  taken.add(name)
  return name
}

function engineCommand(
  instance: Instance,
  {kvcachedEnv}: ControllerConfig,
  surroundings: LaunchSurroundings,
  name: string,
): LaunchCommand {
  const {engine, model, args, venvPath, url} = instance
  const isOwn = engine === 'kvctl'
  const own = {...kvcachedEnv, ...instance.engineEnv, ...instance.kvcachedEnv}
  const asked = isOwn ? argumentOf(args, '--ipc-name') : null
  const segment = asked ?? (own['KVCACHED_IPC_NAME'] || instance.segment)
  const env = {
    ...(!isOwn && {ENABLE_KVCACHED: 'true', KVCACHED_AUTOPATCH: '1'}),
    ...(venvPath !== null && venvVariables(venvPath, surroundings)),
    ...own,
    ...(segment !== null && {KVCACHED_IPC_NAME: segment}),
  }
  const [file, ...words] = isOwn
    ? [...surroundings.kvctl, 'engine', ...modelFlags(model, args)]
    : [python(venvPath, surroundings), '-m', ...moduleWords(engine, model)]
  return {
    ...{name, engine, model, env, url: url!},
    file: file,
    args: [...words, ...args],
    expectsSegment: isOwn ? !args.includes('--no-segment') : isTrue(env['ENABLE_KVCACHED']),
    segment: segment === null ? null : sanitizeName(segment),
  }
}

function moduleWords(engine: EngineKind, model: string): string[] {
  return engine === 'sglang'
    ? ['sglang.launch_server', '--model-path', model]
    : ['vllm.entrypoints.openai.api_server', '--model', model]
}

/** The embedded engine answers to the name of the file, and plays that model where it knows it. */
function modelFlags(model: string, args: readonly string[]): string[] {
  const flags = argumentOf(args, '--served-model-name') === null ? ['--served-model-name', model] : []
  return argumentOf(args, '--model') === null && isKnownModel(model) ? ['--model', model, ...flags] : flags
}

function isKnownModel(model: string): boolean {
  try {
    findModel(model)
    return true
  } catch (error) {
    if (error instanceof ConfigurationError) return false
    throw error
  }
}

function python(venvPath: string | null, surroundings: LaunchSurroundings): string {
  return venvPath === null ? 'python3' : `${venvFolder(venvPath, surroundings)}/bin/python3`
}

/** What the `activate` of a virtual environment sets. */
function venvVariables(venvPath: string, surroundings: LaunchSurroundings): Record<string, string> {
  const folder = venvFolder(venvPath, surroundings)
  const {path} = surroundings
  return {VIRTUAL_ENV: folder, PATH: path === '' ? `${folder}/bin` : `${folder}/bin:${path}`}
}

function venvFolder(venvPath: string, {home, folder}: LaunchSurroundings): string {
  return resolve(folder, venvPath.replace(/^~(?=\/|$)/, home))
}

function routerCommand(
  {source, routerPort}: ControllerConfig,
  {kvctl: [file, ...words], folder}: LaunchSurroundings,
  names: Set<string>,
): LaunchCommand {
  const port = String(routerPort)
  return {
    name: uniqueName('router', names),
    ...{engine: 'router', model: null, file, env: {}, expectsSegment: false, segment: null},
    args: [...words, 'serve', '--config', resolve(folder, source), '--api', 'router,system', '--port', port],
    url: `http://127.0.0.1:${port}`,
  }
}

/** A model that is to sleep needs an engine that was started for it. */
function sleepWarnings({name, engine, model, args, env}: LaunchCommand, {plan}: ControllerConfig): string[] {
  const entry = plan.models.find(one => one.name === model)
  const isToSleep = plan.rules.sleepsIdle || (entry !== undefined && entry.group !== null)
  if (!isToSleep || entry?.staysAwake) return []
  if (engine === 'sglang' && !args.includes('--enable-memory-saver'))
    return [`'${name}' is to sleep, which takes --enable-memory-saver among its arguments`]
  if (engine !== 'vllm') return []
  const missing = [
    ...(args.includes('--enable-sleep-mode') ? [] : ['--enable-sleep-mode among its arguments']),
    ...(env['VLLM_SERVER_DEV_MODE'] === '1' ? [] : ['VLLM_SERVER_DEV_MODE=1 in engine_env']),
  ]
  return missing.length === 0 ? [] : [`'${name}' is to sleep, which takes ${missing.join(' and ')}`]
}

function refuseDoubles(
  source: string,
  what: string,
  commands: readonly LaunchCommand[],
  valueOf: (command: LaunchCommand) => string | null,
): void {
  const owners = new Map<string, string>()
  for (const command of commands) {
    const value = valueOf(command)
    if (value === null) continue
    const other = owners.get(value)
    if (other !== undefined)
      throw new ConfigurationError(
        CODE,
        `${source}: '${other}' and '${command.name}' would share the ${what} ${value}`,
      )
    owners.set(value, command.name)
  }
}

/** As kvcached reads its switch. @see ovg-project/kvcached:README.md — ENABLE_KVCACHED */
function isTrue(value: string | undefined): boolean {
  return ['true', '1'].includes((value ?? '').toLowerCase())
}
