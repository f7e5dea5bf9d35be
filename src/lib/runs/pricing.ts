import {join} from 'node:path'
import * as z from 'zod'
import {writeJsonAtomic} from './atomic-write.js'
import {podRecordSchema} from './cluster-record.js'
import {readDocumentIfAny} from './meta.js'
import {RUN_FILES, type RunDirectory} from './run-directory.js'

const amount = z.number().nonnegative()

const gpusSchema = z.array(
  z.object({
    product: z.string(),
    /** GPUs, or slices of one. */
    count: amount,
    /** Of one, per hour; null where the list has no price for it: `warnings` says why and what to do. */
    hourly: amount.nullable(),
    /** Which entry of the price list gave the price, and how it was found. */
    price_entry: z.string().nullable(),
    price_rule: z.string(),
  }),
)
const cpuSchema = z.object({cores: amount, hourly_per_core: amount}).nullable()
const memorySchema = z.object({gib: amount, hourly_per_gib: amount}).nullable()

/** What a pod held while it ran. */
const podSchema = podRecordSchema.omit({containers: true}).extend({
  ...{gpus: gpusSchema, cpu: cpuSchema, memory: memorySchema},
})
export type PricedPod = z.output<typeof podSchema>

/**
 * `pricing.json`: what a run held while it lasted and what an hour of it costs. Beside the requests it is all that a cost needs,
 * so that every later analysis finds the same one. A resource that nobody counted is null.
 */
export const pricingSchema = z.object({
  schema_version: z.literal(1),
  /** ISO 4217. */
  currency: z.string(),
  /** The price file, or the name of the built-in list. */
  prices_from: z.string(),
  /** Region and spot factors, already in the prices below. */
  price_multiplier: z.number().positive(),
  /** One entry a product; empty when no GPU is counted. */
  gpus: gpusSchema,
  cpu: cpuSchema,
  memory: memorySchema,
  /** Of a service on Kubernetes: each pod counts for the time in which it ran, and `gpus`, `cpu` and `memory` are empty. */
  pods: z.array(podSchema).default([]),
  overhead_fraction: amount,
  warnings: z.array(z.object({code: z.string(), message: z.string()})),
})
export type Pricing = z.output<typeof pricingSchema>
export type PricedGpus = Pricing['gpus'][number]

/** @throws ResourceError `DISK_FULL`, `NOT_WRITABLE` */
export async function writePricing(run: RunDirectory, pricing: Pricing): Promise<void> {
  await writeJsonAtomic(join(run.path, RUN_FILES.pricing), pricing)
}

/** Null for a run that nobody has priced. @throws ConfigurationError `RUN_UNREADABLE` */
export async function readPricing(run: RunDirectory): Promise<Pricing | null> {
  return readDocumentIfAny(join(run.path, RUN_FILES.pricing), pricingSchema)
}
