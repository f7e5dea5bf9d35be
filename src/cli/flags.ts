import {join} from 'node:path'
import {Flags} from '@oclif/core'
import {parseDurationMs} from '../lib/foundation/index.js'

/** A duration in milliseconds, such as `0.5`, `250ms` or `1h30m`. */
export const durationFlag = Flags.custom<number>({
  parse: async text => parseDurationMs(text),
  helpValue: 'DURATION',
})

/** A run directory; without one, the latest below `KVMINI_OUTPUT_DIR` or `runs`. */
export const runDirFlag = Flags.string({
  description: 'the run directory to read (default runs/latest, or latest in KVMINI_OUTPUT_DIR)',
  helpValue: 'DIR',
})

export function runDirOf(flag: string | undefined): string {
  return flag ?? join(process.env['KVMINI_OUTPUT_DIR'] ?? 'runs', 'latest')
}
