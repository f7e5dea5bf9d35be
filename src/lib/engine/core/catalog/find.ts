import {ConfigurationError} from '../../../foundation/index.js'
import {GPUS, type GpuSpec} from './gpus.js'
import type {ModelShape} from './model-shape.js'
import {MODELS} from './models.js'

/** @throws ConfigurationError `MODEL_UNKNOWN` with the known names */
export function findModel(name: string): ModelShape {
  return find(MODELS, name, 'MODEL_UNKNOWN', 'model')
}

/** Whole names only: `A10` is never `A100`. @throws ConfigurationError `GPU_UNKNOWN` with the known names */
export function findGpu(name: string): GpuSpec {
  return find(GPUS, name.replace(/^nvidia[\s-]+/i, ''), 'GPU_UNKNOWN', 'GPU')
}

interface Named {
  readonly name: string
  readonly aliases: readonly string[]
}

function find<T extends Named>(rows: readonly T[], name: string, code: string, kind: string): T {
  const wanted = plain(name)
  const found = rows.find(row => [row.name, ...row.aliases].some(known => plain(known) === wanted))
  if (found) return found
  throw new ConfigurationError(code, `'${name}' is not a known ${kind}`, {
    suggestions: [`known are ${rows.map(row => row.name).join(', ')}`],
  })
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[\s_-]+/g, '-')
}
