import {join} from 'node:path'
import {Flags} from '@oclif/core'
import {ConfigurationError, parseDurationMs} from '../lib/foundation/index.js'

/** A duration in milliseconds, such as `0.5`, `250ms` or `1h30m`. */
export const durationFlag = Flags.custom<number>({
  parse: async text => parseDurationMs(text),
  helpValue: 'DURATION',
})

/** Whether a table of segments also shows what kvcached's does not. */
export const wideFlag = Flags.boolean({
  allowNo: true,
  description:
    'also show preallocated memory, state and owner to the right (default: on terminals of 100 columns and more)',
})

/** A run directory; without one, the latest below `KVMINI_OUTPUT_DIR` or `runs`. */
export const runDirFlag = Flags.string({
  description: 'the run directory to read (default runs/latest, or latest in KVMINI_OUTPUT_DIR)',
  helpValue: 'DIR',
})

export function runDirOf(flag: string | undefined): string {
  return flag ?? join(process.env['KVMINI_OUTPUT_DIR'] || 'runs', 'latest')
}

/** A whole number of at least `min`. */
export const countFlag = Flags.custom<number, {min: number}>({
  parse: async (text, _, {min, name}) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= min && Number.isSafeInteger(value)) return value
    throw new ConfigurationError('USAGE', `--${name} takes a whole number of at least ${min}, not '${text}'`)
  },
  helpValue: 'N',
})

/** A number of at least `min`, or above 0 when `min` is not given. */
export const decimalFlag = Flags.custom<number, {min?: number; max?: number}>({
  parse: async (text, _, {min, max = Infinity, name}) => {
    const value = Number(text)
    const isInside = min === undefined ? value > 0 : value >= min
    if (text.trim() !== '' && isInside && value <= max && Number.isFinite(value)) return value
    const from = min === undefined ? 'above 0' : `of at least ${min}`
    const to = max === Infinity ? '' : ` and at most ${max}`
    throw new ConfigurationError('USAGE', `--${name} takes a number ${from}${to}, not '${text}'`)
  },
  helpValue: 'X',
})

export function isHttpUrl(text: string): boolean {
  return /^https?:\/\/[^/]/i.test(text) && URL.canParse(text)
}

/** An http:// or https:// address. */
export const urlFlag = Flags.custom({
  parse: async (text, _, {name}) => {
    if (isHttpUrl(text)) return text
    throw new ConfigurationError('USAGE', `--${name} takes an http:// or https:// address, not '${text}'`)
  },
  helpValue: 'URL',
})

/** kvcached's controller file, for commands that need one. */
export const controllerFileFlag = Flags.string({
  char: 'f',
  description: "the controller's YAML file",
  required: true,
  helpValue: 'FILE',
})
