import {splitWords} from './split-words.js'
import type {InstanceEntry} from './schema.js'

/** How an engine is spoken to: `kvctl` speaks vLLM's, `openai` is any server that cannot sleep. */
export type EngineKind = 'vllm' | 'sglang' | 'kvctl' | 'openai'

/** One engine of the file. */
export interface Instance {
  readonly name: string
  readonly model: string
  readonly engine: EngineKind
  /** null where neither `url` nor a `--port` says where it listens. */
  readonly url: string | null
  readonly weight: number
  /** Its kvcached segment; null when the file does not say. */
  readonly segment: string | null
  readonly args: readonly string[]
  readonly engineEnv: Readonly<Record<string, string>>
  readonly kvcachedEnv: Readonly<Record<string, string>>
  readonly venvPath: string | null
  /** Whether the file says how to start it: a `url` without arguments is an engine that runs already. */
  readonly isLaunched: boolean
}

/**
 * Pure: an entry of `instances` with its arguments as words and its address out of them.
 *
 * @throws Error with the path within the entry and what is wrong
 */
export function readInstance(entry: InstanceEntry): Instance {
  if (entry.engine_args !== undefined && entry.args !== undefined)
    throw new InstanceError('args', 'stands beside engine_args: give one of them')
  if (entry.using_venv !== (entry.venv_path !== undefined))
    throw new InstanceError('using_venv', 'using_venv and venv_path belong together')
  const given = entry.engine_args ?? entry.args ?? []
  const words = (typeof given === 'string' ? [given] : given).map(line => splitWords(String(line)))
  if (words.some(word => word === null))
    throw new InstanceError(
      entry.args === undefined ? 'engine_args' : 'args',
      'has a quote that is not closed',
    )
  const args = words.flatMap(word => word!)
  const kvcachedEnv = variables(entry.kvcached_env)
  const engineEnv = variables(entry.engine_env)
  return {
    name: entry.name ?? entry.model.split('/').at(-1)!,
    model: entry.model,
    engine: entry.engine === 'sgl' ? 'sglang' : entry.engine,
    url: entry.url?.replace(/\/+$/, '') ?? addressOf(args),
    weight: entry.weight,
    segment: entry.segment ?? kvcachedEnv['KVCACHED_IPC_NAME'] ?? engineEnv['KVCACHED_IPC_NAME'] ?? null,
    args,
    engineEnv,
    kvcachedEnv,
    venvPath: entry.venv_path ?? null,
    isLaunched: entry.url === undefined || given.length > 0,
  }
}

/** What is wrong with one key of an instance. */
export class InstanceError extends Error {
  readonly key: string

  constructor(key: string, message: string) {
    super(message)
    this.name = 'InstanceError'
    this.key = key
  }
}

function variables(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map(entry => {
      const at = entry.indexOf('=')
      return [entry.slice(0, at), entry.slice(at + 1)]
    }),
  )
}

/** `--host` (default localhost) and `--port` of an engine's arguments, in both spellings. */
function addressOf(args: readonly string[]): string | null {
  const port = argumentOf(args, '--port')
  if (port === null || !/^\d+$/.test(port) || Number(port) === 0) return null
  const host = argumentOf(args, '--host') ?? 'localhost'
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

/** What a flag among arguments says, in both spellings; null where it is not there. */
export function argumentOf(args: readonly string[], flag: string): string | null {
  const joined = args.find(arg => arg.startsWith(`${flag}=`))
  if (joined !== undefined) return joined.slice(flag.length + 1)
  const at = args.indexOf(flag)
  return at < 0 ? null : (args[at + 1] ?? null)
}
