import {existsSync} from 'node:fs'
import * as z from 'zod'
import {checkYaml, readYamlFile, type YamlFile} from '../config/index.js'
import {ConfigurationError} from '../foundation/index.js'
import {EXAMPLE_PRICES, USUAL_COUNTING, type PriceList} from './price-list.js'

const USUAL_FILE = 'cost.yaml'
const BYTES_PER_GIB = 1024 ** 3
const BYTES_PER_GB = 1e9

const price = z.number().nonnegative()
const prices = z.record(z.string().min(1), price)
const multiplier = z.number().positive()
const extensions = {
  /** ISO 4217. */
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, 'is not a currency code such as USD or EUR')
    .optional(),
  mig: prices.optional(),
  spot_multiplier: multiplier.optional(),
  regions: z.record(z.string(), z.union([multiplier, z.strictObject({multiplier})])).optional(),
}

/** The form of kserve-vllm-mini's own `cost.yaml` and, with more keys, of the one on its documentation site. */
const mainSchema = z.looseObject({
  gpu: prices.optional(),
  cpu: z.strictObject({hourly_per_core: price.optional()}).optional(),
  memory: z.strictObject({hourly_per_gib: price.optional()}).optional(),
  overhead: z.strictObject({fraction: price.optional()}).optional(),
  calculation: z
    .strictObject({use_requests: z.boolean().optional(), include_sidecars: z.boolean().optional()})
    .optional(),
  network: prices.optional(),
  storage: prices.optional(),
  carbon: prices.optional(),
  ...extensions,
})

/** The form that its planner and its Helm chart read. */
const plannerSchema = z.looseObject({
  gpus: prices,
  cpu_per_hour: price.optional(),
  memory_per_gb_hour: price.optional(),
  storage_per_gb_hour: price.optional(),
  overhead: z.strictObject({fraction: price.optional()}).optional(),
  ...extensions,
})

const KNOWN = new Set([...Object.keys(mainSchema.shape), ...Object.keys(plannerSchema.shape)])
const ONLY_MAIN = ['gpu', 'cpu', 'memory']

export interface ReadPriceList {
  readonly list: PriceList
  /** What a reader of the cost should know about its prices, one line each. */
  readonly warnings: readonly string[]
}

/**
 * The prices to reckon with: those of `path`, else of `cost.yaml` in the working directory, else upstream's examples.
 *
 * @throws as `readPriceList`
 */
export async function loadPriceList(path: string | null): Promise<ReadPriceList> {
  if (path !== null) return readPriceList(path)
  if (existsSync(USUAL_FILE)) return readPriceList(USUAL_FILE)
  const {source} = EXAMPLE_PRICES
  return {
    list: EXAMPLE_PRICES,
    warnings: [`no price file was given: ${source} are taken; give yours with --cost-config`],
  }
}

/**
 * Reads a price file in any of the three forms in use: `gpu`/`cpu.hourly_per_core`/`memory.hourly_per_gib`, the same with
 * lower-case names and further keys, or the planner's `gpus`/`cpu_per_hour`/`memory_per_gb_hour`. All prices are per hour.
 *
 * In the first two, what is missing takes the value that upstream's estimator falls back to (`assumed` names it), unless the file
 * reckons in another currency than US dollars. The planner's form has no overhead.
 *
 * @throws ConfigurationError `COST_CONFIG_INVALID` with the line of every problem, `CONFIG_UNREADABLE`, `YAML_INVALID`
 * @see Siryoos/kserve-vllm-mini:cost.yaml, docs/website/cost.yaml, charts/kvmini/templates/configmap.yaml
 */
async function readPriceList(path: string): Promise<ReadPriceList> {
  return priceListOf(await readYamlFile(path))
}

/** `readPriceList` on a file at hand. */
export function priceListOf(file: YamlFile): ReadPriceList {
  const isPlanner = typeof file.value === 'object' && file.value !== null && 'gpus' in file.value
  return {list: isPlanner ? fromPlanner(file) : fromMain(file), warnings: unknownKeys(file)}
}

function fromMain(file: YamlFile): PriceList {
  const parsed = checkYaml(file, mainSchema, 'COST_CONFIG_INVALID')
  const {default: gpuDefault, ...gpuHourly} = parsed.gpu ?? {}
  const stated = {
    cpu: parsed.cpu?.hourly_per_core,
    memory: parsed.memory?.hourly_per_gib,
    overhead: parsed.overhead?.fraction,
  }
  // Prices of another currency cannot stand in; a fraction can.
  const isUsd = (parsed.currency ?? 'USD') === 'USD'
  const assumed = (['cpu', 'memory', 'overhead'] as const).filter(
    name => stated[name] === undefined && (isUsd || name === 'overhead'),
  )
  const settled = (name: keyof typeof stated, fallback: number | null): number | null =>
    stated[name] ?? (assumed.includes(name) ? fallback : null)
  return {
    source: file.source,
    ...extensionsOf(parsed),
    gpuHourly,
    gpuDefaultHourly: gpuDefault ?? null,
    cpuHourlyPerCore: settled('cpu', EXAMPLE_PRICES.cpuHourlyPerCore),
    memoryHourlyPerGib: settled('memory', EXAMPLE_PRICES.memoryHourlyPerGib),
    overheadFraction: settled('overhead', EXAMPLE_PRICES.overheadFraction),
    counting: {
      usesRequests: parsed.calculation?.use_requests ?? USUAL_COUNTING.usesRequests,
      includesSidecars: parsed.calculation?.include_sidecars ?? USUAL_COUNTING.includesSidecars,
    },
    assumed,
  }
}

function fromPlanner(file: YamlFile): PriceList {
  const mixed = ONLY_MAIN.find(key => key in (file.value as object))
  if (mixed !== undefined) {
    throw new ConfigurationError(
      'COST_CONFIG_INVALID',
      `${file.source}:${file.lineOf([mixed])}: '${mixed}' and 'gpus' (line ${file.lineOf(['gpus'])}) belong to different forms of a price file`,
    )
  }
  const parsed = checkYaml(file, plannerSchema, 'COST_CONFIG_INVALID')
  const {default: gpuDefault, ...gpuHourly} = parsed.gpus
  const perGb = parsed.memory_per_gb_hour
  return {
    source: file.source,
    ...extensionsOf(parsed),
    gpuHourly,
    gpuDefaultHourly: gpuDefault ?? null,
    cpuHourlyPerCore: parsed.cpu_per_hour ?? null,
    memoryHourlyPerGib: perGb === undefined ? null : (perGb * BYTES_PER_GIB) / BYTES_PER_GB,
    overheadFraction: parsed.overhead?.fraction ?? 0,
    counting: USUAL_COUNTING,
    assumed: [],
  }
}

type Extensions = z.output<z.ZodObject<typeof extensions>>

function extensionsOf({
  currency,
  mig,
  spot_multiplier: spot,
  regions,
}: Extensions): Pick<PriceList, 'currency' | 'migHourly' | 'spotMultiplier' | 'regionMultipliers'> {
  return {
    currency: currency ?? 'USD',
    migHourly: mig ?? {},
    spotMultiplier: spot ?? null,
    regionMultipliers: Object.fromEntries(
      Object.entries(regions ?? {}).map(([region, value]) => [
        region,
        typeof value === 'number' ? value : value.multiplier,
      ]),
    ),
  }
}

function unknownKeys(file: YamlFile): string[] {
  return Object.keys(file.value as object)
    .filter(key => !KNOWN.has(key))
    .map(key => `${file.source}:${file.lineOf([key])}: unknown key '${key}' is ignored`)
}
