import {KvctlError, ResourceError, type Clock} from '../foundation/index.js'
import type {ProgramExit, RunningProgram} from '../processes/index.js'
import {BackOff, type RestartRules} from './back-off.js'
import type {LaunchCommand} from './plan-launch.js'

/** What is told of one program. */
export type LaunchEvent =
  | {readonly is: 'started'; readonly pid: number}
  | {readonly is: 'log'; readonly stream: 'stdout' | 'stderr'; readonly line: string}
  /** It answers, and its segment is there where one is expected. */
  | {readonly is: 'ready'; readonly segment: string | null; readonly tookMs: number}
  | {readonly is: 'ended'; readonly exit: ProgramExit}
  | {readonly is: 'waiting'; readonly pauseMs: number}
  | {readonly is: 'failed'; readonly error: KvctlError}
  | {readonly is: 'stopped'}

/** Times in ms. */
export interface LaunchRules extends RestartRules {
  /** From the start until it answers. */
  readonly healthMs: number
  /** From then until its segment is there. */
  readonly segmentMs: number
  /** Between SIGTERM and SIGKILL. */
  readonly stopMs: number
}

export interface SuperviseParts {
  /** @throws ResourceError when it cannot be started */
  start(command: LaunchCommand, onLine: (line: string, stream: 'stdout' | 'stderr') => void): RunningProgram
  isHealthy(url: string): Promise<boolean>
  /** Makes way for its segment. @throws ResourceError when a running engine has that name */
  clearSegment(command: LaunchCommand, pid: number | null): Promise<void>
  /** The segment that it shows; null while there is none. */
  findSegment(command: LaunchCommand, pid: number): Promise<string | null>
  readonly clock: Clock
}

const LOOK_MS = 200

/**
 * Keeps one program running until the signal is aborted: starts it, waits until it answers and shows its segment, starts it again
 * when it ends. One that is not ready within its times has failed and is stopped, since another try would change nothing.
 *
 * @returns how it came to its end
 */
export async function supervise(
  command: LaunchCommand,
  rules: LaunchRules,
  parts: SuperviseParts,
  tell: (event: LaunchEvent) => void,
  signal: AbortSignal,
): Promise<'stopped' | 'failed'> {
  const backOff = new BackOff(rules)
  const {clock} = parts
  try {
    for (;;) {
      signal.throwIfAborted()
      await parts.clearSegment(command, null)
      const startedNs = clock.nowNs()
      const program = parts.start(command, (line, stream) => tell({is: 'log', stream, line}))
      tell({is: 'started', pid: program.pid})
      let readyNs: number | null = null
      let exit: ProgramExit
      try {
        const ready = await untilReady(command, program, rules, parts, signal)
        if (ready) {
          readyNs = clock.nowNs()
          tell({is: 'ready', segment: ready.segment, tookMs: (readyNs - startedNs) / 1e6})
        }
        exit = await orAbort(program.ended, signal)
      } finally {
        await program.stop(rules.stopMs)
        await parts.clearSegment(command, program.pid).catch(() => {
          // Somebody else has that name by now.
        })
      }
      tell({is: 'ended', exit})
      const pauseMs = backOff.ended(readyNs === null ? null : (clock.nowNs() - readyNs) / 1e6)
      if (pauseMs === null) throw endedTooOften(command, exit, rules)
      tell({is: 'waiting', pauseMs})
      await clock.sleep(pauseMs, signal)
    }
  } catch (error) {
    if (signal.aborted) {
      tell({is: 'stopped'})
      return 'stopped'
    }
    if (!(error instanceof KvctlError)) throw error
    tell({is: 'failed', error})
    return 'failed'
  }
}

/** @returns null when it ended before */
async function untilReady(
  command: LaunchCommand,
  program: RunningProgram,
  {healthMs, segmentMs}: LaunchRules,
  parts: SuperviseParts,
  signal: AbortSignal,
): Promise<{segment: string | null} | null> {
  const {clock} = parts
  let hasEnded = false
  void program.ended.then(() => (hasEnded = true))
  const look = async <T>(what: () => Promise<T | null>, limitMs: number): Promise<T | 'late' | 'ended'> => {
    const untilNs = clock.nowNs() + limitMs * 1e6
    for (;;) {
      const found = await what()
      signal.throwIfAborted()
      if (hasEnded) return 'ended'
      if (found !== null) return found
      if (clock.nowNs() >= untilNs) return 'late'
      await clock.sleep(LOOK_MS, signal)
    }
  }
  const health = await look(async () => ((await parts.isHealthy(command.url)) ? true : null), healthMs)
  if (health === 'late') {
    throw new ResourceError(
      'ENGINE_NOT_HEALTHY',
      `'${command.name}' does not answer at ${command.url} after ${healthMs / 1000} s`,
      {suggestions: ['see what it said above', 'give it longer with --health-timeout']},
    )
  }
  if (health === 'ended') return null
  if (!command.expectsSegment) return {segment: null}
  const segment = await look(async () => {
    const name = await parts.findSegment(command, program.pid)
    return name === null ? null : {name}
  }, segmentMs)
  if (segment === 'late') throw segmentMissing(command, segmentMs)
  return segment === 'ended' ? null : {segment: segment.name}
}

function segmentMissing({name, segment, file}: LaunchCommand, segmentMs: number): ResourceError {
  const what = segment === null ? 'no kvcached segment' : `no segment '${segment}'`
  return new ResourceError(
    'SEGMENT_MISSING',
    `'${name}' answers but shows ${what} after ${segmentMs / 1000} s`,
    {
      suggestions: [
        `it runs without kvcached and holds its whole KV cache: check that kvcached is installed for ${file}, and not as an editable install, which has no .pth hook`,
        'or start it without, with ENABLE_KVCACHED=false in its kvcached_env',
      ],
    },
  )
}

function endedTooOften(
  {name}: LaunchCommand,
  {code, signal}: ProgramExit,
  {restarts}: LaunchRules,
): ResourceError {
  const how = signal ?? `status ${code}`
  const often = restarts === 0 ? '' : `, ${restarts + 1} times in a row`
  return new ResourceError('ENGINE_ENDED', `'${name}' ended by itself (${how})${often}`, {
    suggestions: ['see what it said above'],
  })
}

async function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    const leave = (): void => reject(signal.reason as Error)
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, {once: true})
  })
  return Promise.race([promise, aborted])
}
