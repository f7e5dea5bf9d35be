import {basename} from 'node:path'
import * as z from 'zod'
import type {RunMeta} from '../runs/index.js'

/** What of a stored plan says how to send the same again. */
const planSchema = z.object({
  arrival_seed: z.number(),
  prompt_seed: z.number(),
  prompt: z
    .object({workload: z.object({path: z.string(), sha256: z.string().nullable()}).partial()})
    .partial()
    .optional(),
})

/** A file that the load was read from. */
export interface WorkloadFile {
  readonly path: string
  readonly sha256: string | null
}

/** `reproduce.json` of a bundle: what sends the same load again, and what it was sent by and to. */
export interface Reproduction {
  readonly schema_version: 1
  readonly run_id: string
  readonly tool: {readonly name: 'kvctl'; readonly version: string | null}
  readonly node_version: string | null
  /** Null for a run that kvctl did not send. */
  readonly command: readonly string[] | null
  /** Whether it sends the same prompts at the same times; otherwise both seeds are needed, which `--seed` sets to one value. */
  readonly is_exact: boolean
  readonly arrival_seed: number | null
  readonly prompt_seed: number | null
  readonly schedule_sha256: string | null
  readonly workload_sha256: string | null
  readonly server: {
    readonly urls: readonly string[]
    readonly model: string | null
    readonly version: string | null
  }
}

/** Where a run lies, and where it is packed, is no part of what it measures. */
const PLACES: ReadonlySet<string> = new Set(['output-dir', 'run-dir', 'bundle'])

/**
 * Pure: what reproduces a run, from its `meta.json`.
 *
 * @param workload how its file is called where the command runs; null without one
 */
export function reproductionOf(
  meta: RunMeta,
  workload: {name: string; original: string} | null,
): Reproduction {
  const plan = planSchema.safeParse(meta.plan).data ?? null
  const [arrival, prompt] = [plan?.arrival_seed ?? null, plan?.prompt_seed ?? null]
  const isSeeded = meta.args.some(arg => arg === '--seed' || arg.startsWith('--seed='))
  // A closed loop has no schedule: one seed says all.
  const isExact = plan !== null && (isSeeded || meta.mode === 'closed' || arrival === prompt)
  const seed = !isExact || isSeeded ? [] : ['--seed', String(prompt)]
  const args = withoutPlaces(meta.args).map(arg => (workload === null ? arg : withFile(arg, workload)))
  return {
    schema_version: 1,
    run_id: meta.run_id ?? '',
    tool: {name: 'kvctl', version: meta.tool_version},
    node_version: meta.client?.node_version ?? null,
    command: plan === null ? null : ['kvctl', 'bench', ...args, ...seed],
    is_exact: isExact,
    arrival_seed: arrival,
    prompt_seed: prompt,
    schedule_sha256: textOrNull(meta['schedule_sha256']),
    workload_sha256: textOrNull(meta['workload_sha256']),
    server: {urls: meta.urls, model: meta.model, version: meta.server?.version ?? null},
  }
}

/** The file that a run's load was read from; null without one. */
export function workloadFileOf({plan}: RunMeta): WorkloadFile | null {
  const {path, sha256} = planSchema.safeParse(plan).data?.prompt?.workload ?? {}
  return path === undefined ? null : {path, sha256: sha256 ?? null}
}

function withoutPlaces(args: readonly string[]): string[] {
  return args.filter((arg, index) => {
    const isValue = PLACES.has((args[index - 1] ?? '').replace(/^--/, ''))
    return !isValue && !PLACES.has(arg.replace(/^--/, '').replace(/=.*/s, ''))
  })
}

/** An argument that names the workload's file, however its folder was written. */
function withFile(arg: string, {name, original}: {name: string; original: string}): string {
  const [, flag = '', value = ''] = /^(--[\w-]+=)?(.*)$/s.exec(arg) ?? []
  return basename(value) === basename(original) ? `${flag}${name}` : arg
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
