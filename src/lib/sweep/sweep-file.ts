import {mkdir, readFile, readdir} from 'node:fs/promises'
import {join, resolve} from 'node:path'
import * as z from 'zod'
import {ConfigurationError, isSystemError, ResourceError} from '../foundation/index.js'
import {writeJsonAtomic} from '../runs/index.js'

/** The file that makes a folder a sweep. */
export const SWEEP_FILE = 'sweep.json'
export const SWEEP_CSV = 'sweep.csv'

const figure = z.number().nullable()

const pointSchema = z.object({
  /** 1-based, in the order of running. */
  index: z.int().positive(),
  values: z.record(z.string(), z.string()),
  repetition: z.int().positive(),
  status: z.enum(['pending', 'completed', 'failed']),
  /** Below the sweep's folder; null until it runs. */
  run_dir: z.string().nullable(),
  error: z.object({code: z.string(), message: z.string()}).nullable(),
  /** Flat keys of results.json. */
  metrics: z.record(z.string(), figure).nullable(),
  /** Of a search: whether the goals were kept, and how much longer than the standard it ran. */
  verdict: z.enum(['PASS', 'FAIL', 'UNSURE']).nullable().default(null),
  length: z.number().nullable().default(null),
  /** The goals that were missed or left open. */
  missed: z.array(z.string()).default([]),
})
export type SweepPoint = z.output<typeof pointSchema>

/** `sweep.json`: what is swept, and what became of each run. */
export const sweepSchema = z.object({
  schema_version: z.literal(1),
  sweep_id: z.string(),
  kind: z.enum(['grid', 'knee']),
  /** The command line, keys removed; with --resume it is read again. */
  args: z.array(z.string()),
  axes: z.array(z.object({name: z.string(), values: z.array(z.string())})),
  repeat: z.int().positive(),
  /** Of the order; null for the order given. */
  order_seed: z.number().nullable(),
  objectives: z.array(z.string()),
  created_at: z.iso.datetime(),
  ended_at: z.iso.datetime().nullable(),
  points: z.array(pointSchema),
  /** The answer of a search: the highest value that keeps the goals, the lowest that does not. */
  knee: z
    .object({
      axis: z.string(),
      best: figure,
      failing: figure,
      precision: z.number(),
      limiting: z.array(z.string()),
      run_dir: z.string().nullable(),
    })
    .nullable()
    .default(null),
})
export type SweepFile = z.output<typeof sweepSchema>

/** @throws ResourceError `SWEEP_NOT_FOUND`; ConfigurationError `SWEEP_UNREADABLE` */
export async function readSweep(folder: string): Promise<SweepFile> {
  const path = join(folder, SWEEP_FILE)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'ENOTDIR')) throw error
    throw new ResourceError('SWEEP_NOT_FOUND', `there is no sweep in ${folder}`, {
      cause: error,
      suggestions: ['kvctl sweep --axis concurrency=5,10,20'],
    })
  }
  try {
    return sweepSchema.parse(JSON.parse(text))
  } catch (error) {
    const why =
      error instanceof z.ZodError ? z.prettifyError(error).split('\n')[0]! : (error as Error).message
    throw new ConfigurationError('SWEEP_UNREADABLE', `${path} is not readable: ${why}`, {cause: error})
  }
}

/** @throws ResourceError `DISK_FULL`, `NOT_WRITABLE` */
export async function writeSweep(folder: string, sweep: SweepFile): Promise<void> {
  await writeJsonAtomic(join(folder, SWEEP_FILE), sweep)
}

/** Makes the folder of a new sweep; one that holds anything is refused. @throws ResourceError `SWEEP_EXISTS` */
export async function claimSweepFolder(path: string): Promise<string> {
  await mkdir(path, {recursive: true})
  if ((await readdir(path)).length === 0) return resolve(path)
  throw new ResourceError('SWEEP_EXISTS', `${path} is not empty`, {
    suggestions: [`kvctl sweep --resume --output-dir ${path}`, 'name another folder with --output-dir'],
  })
}
