import type {GpusLook} from './gpu-look.js'

type SnakeCase<Name extends string> = Name extends `${infer Head}${infer Tail}`
  ? `${Head extends Lowercase<Head> ? Head : `_${Lowercase<Head>}`}${SnakeCase<Tail>}`
  : ''

/** A look as JSON has it: the same figures under snake_case names. */
export type Json<T> = T extends readonly (infer Item)[]
  ? Json<Item>[]
  : T extends object
    ? {[Name in keyof T & string as SnakeCase<Name>]: Json<T[Name]>}
    : T

/** `{time, took_ms, driver, gpus}`; in `unavailable` stand the JSON names of what is null, with the reason. */
export type GpusJson<Look extends GpusLook = GpusLook> = Json<Omit<Look, 'takenAtMs'>> & {
  readonly time: string
}

/** @param look one of GPUs, or one with more about their processes */
export function gpusJson<Look extends GpusLook>({takenAtMs, ...look}: Look): GpusJson<Look> {
  const time = new Date(takenAtMs).toISOString()
  return {time, ...(snakeCased(look) as object)} as GpusJson<Look>
}

function snakeCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCased)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`),
      snakeCased(inner),
    ]),
  )
}
