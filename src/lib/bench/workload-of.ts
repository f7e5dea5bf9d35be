import type {Workload} from '../workloads/index.js'
import type {BenchOptions} from './bench-plan.js'

/**
 * Makes or reads what the requests of a run are. Times that a data set brings are kept when nothing else says when to send.
 *
 * @param isPatternAsked a pattern or a rate was given
 * @returns null workload when all are alike; the options with what was found: the digest of a file, the pattern of its times
 * @throws ConfigurationError `DATASET_UNREADABLE`, `DATASET_CHANGED`, `LENGTHS_INVALID`
 */
export async function workloadOf(
  options: BenchOptions,
  isPatternAsked = true,
): Promise<{options: BenchOptions; workload: Workload | null}> {
  const {prompt} = options.request
  if (prompt.kind !== 'workload') return {options, workload: null}
  const {makeWorkload, readWorkload} = await import('../workloads/index.js')
  const {spec} = prompt
  if (!('path' in spec)) {
    return {options, workload: makeWorkload(spec, options.requests ?? 1, options.promptSeed)}
  }
  const {workload, sha256} = await readWorkload(spec, options.promptSeed)
  const request = {...options.request, prompt: {...prompt, spec: {...spec, sha256}}}
  const pattern = isPatternAsked || workload.timesMs === null ? options.pattern : 'trace'
  return {options: {...options, request, pattern}, workload}
}
