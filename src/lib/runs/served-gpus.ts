import type {GpuSample} from './gpus-of-server.js'
import {readMeta} from './meta.js'
import type {RunDirectory} from './run-directory.js'
import {readTimeSeries} from './time-series.js'

/** GPUs of one product, or slices of one profile. */
export interface GpuKind {
  /** As the driver names it; null where it does not. */
  readonly product: string | null
  readonly count: number
}

export interface WhoServed {
  readonly kinds: readonly GpuKind[]
  /** False when no process of the server was seen on any GPU: then these are all of the machine. */
  readonly isSure: boolean
}

interface Unit {
  product: string | null
  serves: boolean | null
}

/** Collects, look by look, on which GPUs or MIG slices a server had memory. One that served once has served. */
export class ServedGpus {
  readonly #units = new Map<string, Unit>()

  add(gpus: readonly GpuSample[]): void {
    for (const {index, name, serves, mig_devices: slices = []} of gpus) {
      if (slices.length === 0) this.#see(`${index}`, name ?? null, serves ?? null)
      for (const slice of slices) this.#see(`${index}.${slice.index}`, slice.name, slice.serves)
    }
  }

  /** Null when no GPU was seen. */
  get result(): WhoServed | null {
    const units = [...this.#units.values()]
    if (units.length === 0) return null
    const serving = units.filter(({serves}) => serves === true)
    const counts = new Map<string | null, number>()
    for (const {product} of serving.length > 0 ? serving : units.filter(({serves}) => serves === null))
      counts.set(product, (counts.get(product) ?? 0) + 1)
    return {
      kinds: [...counts].map(([product, count]) => ({product, count})),
      isSure: serving.length > 0,
    }
  }

  #see(key: string, product: string | null, serves: boolean | null): void {
    const before = this.#units.get(key)
    this.#units.set(key, {
      product: product ?? before?.product ?? null,
      serves: before?.serves === true ? true : (serves ?? before?.serves ?? null),
    })
  }
}

/** Who served a run, by its own samples; null when they saw no GPU. kvctl's own engine serves only where it was seen to. */
export async function readWhoServed(run: RunDirectory): Promise<WhoServed | null> {
  const served = new ServedGpus()
  for await (const {gpus} of readTimeSeries(run)) served.add(gpus ?? [])
  const {result} = served
  if (result === null || result.isSure) return result
  const meta = await readMeta(run).catch(() => null)
  return meta?.server?.is_embedded === true ? null : result
}
