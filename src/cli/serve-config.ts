import {z} from 'zod'
import {checkYaml, readYamlFile, type YamlFile} from '../lib/config/index.js'
import {parseDurationMs} from '../lib/foundation/index.js'
import {
  CONTROLLER_KEYS,
  controllerConfigOf,
  emptyControllerConfig,
  type ControllerConfig,
} from '../lib/router/index.js'
import {FAMILY_NAMES} from '../server/api-families.js'
import {isHttpUrl} from './flags.js'
import {HIGHEST_PORT, isOrigin} from './serve-flags.js'

const family = z.enum(FAMILY_NAMES)
const port = z.int().min(0).max(HIGHEST_PORT)
const url = z.string().refine(isHttpUrl, {error: 'takes an http:// or https:// address'})
const origin = z.string().refine(isOrigin, {error: "takes an origin such as http://localhost:3000, or '*'"})
const duration = z.union([z.string(), z.number()]).transform((value, context) => {
  try {
    return parseDurationMs(String(value))
  } catch (error) {
    context.addIssue({code: 'custom', message: (error as Error).message})
    return z.NEVER
  }
})

/** The options of `kvctl serve` as a file has them: flags with `_` for `-`, and lists where a flag may be repeated. */
const serveConfig = z
  .strictObject({
    api: z.array(family).min(1),
    host: z.string().min(1),
    port,
    listen: z.partialRecord(family, port),
    token: z.string().min(1),
    no_auth: z.boolean(),
    cors_origin: z.array(origin),
    engine_url: z.array(url),
    dcgm_metrics: z.boolean(),
    drain_timeout: duration,
    bench_url: z.array(url),
    output_dir: z.string().min(1),
    cache_worker: z.array(z.url({protocol: /^https?$/})),
    cache_config: z.string().min(1),
    allow_path: z.array(z.string().min(1)),
    cache_socket: z.string().min(1),
  })
  .partial()

export type ServeConfig = z.output<typeof serveConfig>

/** A file of `kvctl serve`: its own options, and kvcached's controller beside them. */
export interface ServeFile {
  readonly options: ServeConfig
  readonly controller: ControllerConfig
}

/**
 * @param environment where keys of models may stand
 * @throws ConfigurationError `CONFIG_UNREADABLE`, `YAML_INVALID`, `CONFIG_INVALID`, `CONTROLLER_INVALID`, each with file and line
 */
export async function readServeFile(path: string, environment: NodeJS.ProcessEnv): Promise<ServeFile> {
  const file = await readYamlFile(path)
  // An empty file says nothing, which is fine.
  if (file.value === null) return {options: {}, controller: emptyControllerConfig}
  const options = checkYaml(withoutController(file), serveConfig, 'CONFIG_INVALID')
  const isController = CONTROLLER_KEYS.some(key => key in Object(file.value))
  return {options, controller: isController ? controllerConfigOf(file, environment) : emptyControllerConfig}
}

function withoutController(file: YamlFile): YamlFile {
  const {value} = file
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return file
  const own = Object.entries(value).filter(([key]) => !CONTROLLER_KEYS.includes(key))
  return {...file, value: Object.fromEntries(own)}
}
