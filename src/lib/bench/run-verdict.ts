import {KvctlError, NetworkError} from '../foundation/index.js'
import {isFailure} from '../runs/index.js'

/** A run that measured nothing, although its server could be reached. */
export class NothingMeasuredError extends KvctlError {
  readonly exitCode = 1
}

const UNREACHED: ReadonlySet<string> = new Set(['connect', 'tls', 'timeout_connect'])

/**
 * Whether a finished run is one: a single answered request makes it one, whatever became of the
 * others, and so does one whose client was to hang up on all.
 *
 * @param outcomes measured requests by how they ended
 * @returns the error to leave with, or null
 */
export function runVerdict(outcomes: ReadonlyMap<string, number>, url: string): KvctlError | null {
  if (outcomes.has('ok') || ![...outcomes.keys()].some(isFailure)) return null
  const counts = [...outcomes].map(([name, count]) => `${count} × ${name}`).join(', ')
  return [...outcomes.keys()].every(name => UNREACHED.has(name))
    ? new NetworkError('ENDPOINT_UNREACHABLE', `no request reached ${url} (${counts})`)
    : new NothingMeasuredError('NOTHING_MEASURED', `no request of the run succeeded (${counts})`, {
        suggestions: ['see requests.csv in the run directory for what each one met'],
      })
}
