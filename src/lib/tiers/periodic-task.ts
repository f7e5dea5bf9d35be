import type {Logger} from '../foundation/index.js'

export const TASK_LEVELS = ['critical', 'high', 'medium', 'low'] as const

/** What is lost while a task does not run, in upstream's words. */
type TaskLevel = (typeof TASK_LEVELS)[number]

interface PeriodicTaskOptions {
  readonly name: string
  readonly level: TaskLevel
  readonly intervalMs: number
  /** One run. @returns what came of it; what it throws is told and counted, and the next run comes all the same */
  readonly run: () => string
  readonly logger: Logger
}

/** One run of a task; times are the system's, in milliseconds. */
interface TaskRun {
  readonly startedMs: number
  readonly tookMs: number
  readonly hasFailed: boolean
  readonly message: string
}

/** How many tasks there are, how many of them go on, and how many ran lately. */
interface TaskCounts {
  readonly total: number
  readonly running: number
  readonly active: number
}

export type TaskSummary = Readonly<Record<'all' | TaskLevel, TaskCounts>>

/** Tasks counted, all of them and level by level. */
export function summaryOf(tasks: readonly PeriodicTask[]): TaskSummary {
  const counts = (some: readonly PeriodicTask[]): TaskCounts => ({
    total: some.length,
    running: some.filter(({isRunning}) => isRunning).length,
    active: some.filter(({isActive}) => isActive).length,
  })
  const of = (level: TaskLevel): TaskCounts => counts(tasks.filter(task => task.level === level))
  return {
    all: counts(tasks),
    ...{critical: of('critical'), high: of('high'), medium: of('medium'), low: of('low')},
  }
}

/** Work that comes again and again, and what became of it. @see LMCache/LMCache:lmcache/v1/periodic_thread.py — its threads of that kind */
export class PeriodicTask {
  readonly name: string
  readonly level: TaskLevel
  readonly intervalMs: number
  readonly #options: PeriodicTaskOptions
  readonly #beganMs = Date.now()
  #timer: NodeJS.Timeout | null
  #lastRun: TaskRun | null = null
  #runs = 0
  #failedRuns = 0

  /** The first run comes after one interval. */
  constructor(options: PeriodicTaskOptions) {
    this.name = options.name
    this.level = options.level
    this.intervalMs = options.intervalMs
    this.#options = options
    this.#timer = setInterval(() => this.#run(), options.intervalMs)
    this.#timer.unref()
  }

  get isRunning(): boolean {
    return this.#timer !== null
  }

  /** Whether its last run, or its beginning, is no longer ago than it should be: three intervals, as upstream has it. */
  get isActive(): boolean {
    const sinceMs = this.#lastRun?.startedMs ?? this.#beganMs + this.intervalMs
    return this.isRunning && Date.now() - sinceMs < 3 * this.intervalMs
  }

  get runs(): number {
    return this.#runs
  }

  get failedRuns(): number {
    return this.#failedRuns
  }

  get lastRun(): TaskRun | null {
    return this.#lastRun
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #run(): void {
    const {name, run, logger} = this.#options
    const [startedMs, before] = [Date.now(), performance.now()]
    let [message, hasFailed] = ['', false]
    try {
      message = run()
    } catch (error) {
      hasFailed = true
      message = error instanceof Error ? error.message : String(error)
      this.#failedRuns++
      logger.error(`${name}: ${message}`)
    }
    this.#runs++
    this.#lastRun = {startedMs, tookMs: performance.now() - before, hasFailed, message}
  }
}
