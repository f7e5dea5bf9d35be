import {ConfigurationError} from '../lib/foundation/index.js'
import {FAMILY_NAMES, type FamilyName} from '../server/api-families.js'
import {engineUrlsOf} from './engine-urls.js'
import {checkMayListen} from './may-listen.js'
import type {ServeConfig} from './serve-config.js'
import type {ServeFlags} from './serve-flags.js'

/** What is to be served, where, and to whom. */
export interface ServeSettings {
  readonly families: readonly FamilyName[]
  readonly host: string
  readonly port: number
  readonly listen: readonly {readonly family: FamilyName; readonly port: number}[]
  /** Null asks for none. */
  readonly token: string | null
  readonly isOpen: boolean
  readonly corsOrigins: readonly string[]
  readonly drainMs: number
  /** The cache worker's settings file, folders it may read, and its Unix socket. */
  readonly cache: {
    /** Real workers to stand in front of; none is one of our own. */
    readonly urls: readonly string[]
    readonly configPath: string | null
    readonly allowedPaths: readonly string[]
    readonly socketPath: string | null
  }
  /** None: engines are looked for. */
  readonly engineUrls: readonly string[]
  readonly hasDcgmNames: boolean
  /** Where benchmarks go, and which servers they may measure. */
  readonly bench: {readonly folder: string; readonly targets: readonly string[]}
}

const DRAIN_MS = 1500

/**
 * Pure: flags, environment and file to settings, every default filled in.
 *
 * @throws ConfigurationError `USAGE`, `AUTH_REQUIRED`
 */
export function serveSettings(
  flags: ServeFlags,
  environment: NodeJS.ProcessEnv,
  file: ServeConfig,
): ServeSettings {
  const host = flags.host ?? file.host ?? '127.0.0.1'
  // A token that was asked for on the command line is not undone by a file.
  const isOpen = flags['no-auth'] || (flags.token === undefined && file.no_auth === true)
  const token = isOpen ? null : tokenOf(flags, environment, file)
  checkMayListen(host, token !== null, isOpen, [
    '--token TOKEN, or set KVCTL_TOKEN',
    '--no-auth if that is what you want',
  ])
  const wanted = flags.api ?? file.api
  const fromFile = Object.entries(file.listen ?? {}) as [FamilyName, number][]
  return {
    families: FAMILY_NAMES.filter(name => wanted?.includes(name) ?? true),
    host,
    port: flags.port ?? file.port ?? 6767,
    listen: flags.listen ?? fromFile.map(([family, port]) => ({family, port})),
    token,
    isOpen,
    corsOrigins: flags['cors-origin'] ?? file.cors_origin ?? [],
    engineUrls: flags['engine-url'] ?? engineUrlsOf(environment) ?? file.engine_url ?? [],
    hasDcgmNames: flags['dcgm-metrics'] || file.dcgm_metrics === true,
    bench: {
      folder:
        flags['output-dir'] ?? (environment['KVMINI_OUTPUT_DIR'] || undefined) ?? file.output_dir ?? 'runs',
      targets: flags['bench-url'] ?? file.bench_url ?? [],
    },
    drainMs: flags['drain-timeout'] ?? file.drain_timeout ?? DRAIN_MS,
    cache: {
      urls: flags['cache-worker'] ?? file.cache_worker ?? [],
      configPath:
        flags['cache-config'] ??
        (environment['LMCACHE_CONFIG_FILE'] || undefined) ??
        file.cache_config ??
        null,
      allowedPaths: flags['allow-path'] ?? file.allow_path ?? [],
      socketPath: flags['cache-socket'] ?? file.cache_socket ?? null,
    },
  }
}

function tokenOf(flags: ServeFlags, environment: NodeJS.ProcessEnv, file: ServeConfig): string | null {
  const fromEnvironment = environment['KVCTL_TOKEN'] || environment['KVMINI_TOKEN'] || undefined
  const token = flags.token ?? fromEnvironment ?? file.token ?? null
  if (token === '') throw new ConfigurationError('USAGE', '--token must not be empty')
  return token
}
