/** What to profile. */
export interface NsightOptions {
  /** The program and its arguments. */
  readonly command: readonly string[]
  readonly metrics: readonly string[]
  /** Kernels to profile, after those skipped. */
  readonly launchCount: number
  readonly launchSkip: number
  /** A regular expression; null profiles every kernel. */
  readonly kernelName: string | null
}

/**
 * Pure: the arguments of `ncu`. Children are followed, because engines start their workers as such; clocks and caches are left
 * as they are, so that a kernel runs as it would without a profiler; base units, since CSV alone does not switch to them.
 *
 * @param logFile where the CSV goes: stdout stays the program's
 * @see https://docs.nvidia.com/nsight-compute/NsightComputeCli/ — "Command Line Options"
 */
export function ncuArguments(options: NsightOptions, logFile: string): string[] {
  const {command, metrics, launchCount, launchSkip, kernelName} = options
  return [
    '--csv',
    ...['--page', 'raw'],
    ...['--print-units', 'base'],
    ...['--target-processes', 'all'],
    ...['--metrics', metrics.join(',')],
    ...['--clock-control', 'none'],
    ...['--cache-control', 'none'],
    ...['--launch-count', String(launchCount)],
    ...(launchSkip > 0 ? ['--launch-skip', String(launchSkip)] : []),
    ...(kernelName === null ? [] : ['--kernel-name', `regex:${kernelName}`]),
    ...['--log-file', logFile],
    ...command,
  ]
}
