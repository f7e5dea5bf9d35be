import {ResourceError} from '../foundation/index.js'

/** A failure by the words in which Nsight Compute tells it. */
interface Known {
  readonly words: RegExp
  readonly code: string
  readonly means: string
  readonly suggestions: readonly string[]
}

const KNOWN: readonly Known[] = [
  {
    words: /ERR_NVGPUCTRPERM/,
    code: 'NSIGHT_NOT_PERMITTED',
    means: 'this user may not read the GPU’s performance counters',
    suggestions: [
      'run it as root or with CAP_SYS_ADMIN; in a container, --cap-add SYS_ADMIN',
      'options nvidia NVreg_RestrictProfilingToAdminUsers=0 in /etc/modprobe.d, then reload the module',
    ],
  },
  {
    words: /driver resource was unavailable/i,
    code: 'NSIGHT_COUNTERS_TAKEN',
    means: 'another profiler, or DCGM, holds the GPU’s performance counters',
    suggestions: ['dcgmi profile --pause', 'end other profilers'],
  },
  {
    words: /Failed to access the following( \d+)? metrics/i,
    code: 'NSIGHT_METRIC_UNKNOWN',
    means: 'this GPU has not all of the metrics, or shares a MIG compute instance',
    suggestions: ['leave the metric out of --metrics', 'ncu --query-metrics'],
  },
  {
    words: /failed to connect to the CUDA driver/i,
    code: 'NSIGHT_NO_DRIVER',
    means: 'there is no CUDA driver, or a stub of one',
    suggestions: ['kvctl doctor'],
  },
  {
    words: /unrecogni[sz]ed option/i,
    code: 'NSIGHT_VERSION',
    means: 'this ncu does not know an option that kvctl gives it',
    suggestions: ['ncu --version; kvctl nsight wants Nsight Compute 2021.1 or newer'],
  },
  {
    words: /No kernels were profiled/i,
    code: 'NSIGHT_NO_KERNELS',
    means: 'no kernel was profiled',
    suggestions: [
      'a wider --kernel-name, a smaller --launch-skip',
      'let the program itself, or a child that it starts, run on the GPU',
    ],
  },
]

/**
 * Pure: the failure that a text of Nsight Compute tells; null when it tells none that is known.
 *
 * @param text everything that it and the program said
 */
export function explainNcu(text: string): ResourceError | null {
  const known = KNOWN.find(({words}) => words.test(text))
  if (known === undefined) return null
  const {code, means, suggestions, words} = known
  const line = text.split('\n').find(one => words.test(one)) ?? ''
  const said = line
    .replace(/^==\w+==\s*/, '')
    .trim()
    .slice(0, 200)
  return new ResourceError(code, `${means} (${said})`, {suggestions})
}

/** Pure: what to say when a run brought no launch and no known failure. @param status how ncu ended */
export function unexplainedNcu(text: string, status: string): ResourceError {
  const errors = text.split('\n').filter(line => line.startsWith('==ERROR=='))
  const said =
    errors.length === 0
      ? ''
      : `: ${errors
          .at(-1)!
          .replace(/^==ERROR==\s*/, '')
          .trim()
          .slice(0, 200)}`
  return new ResourceError(
    'NSIGHT_FAILED',
    `Nsight Compute profiled nothing and ended with ${status}${said}`,
    {
      suggestions: ['run the same command under ncu by hand'],
    },
  )
}
