import {createHash} from 'node:crypto'
import {join, resolve} from 'node:path'
import {ResourceError, type Logger} from '../foundation/index.js'
import {readStartTicks, type Worker} from '../processes/index.js'
import {createRunDirectory} from '../runs/index.js'
import {markFailed, recoverJobs, writeJobFile} from './job-file.js'
import type {JobFile, JobJson, JobProgress, JobReport, JobStage} from './job.js'
import type {JobRequest} from './job-request.js'
import type {LiveFigures, Observations} from './live-figures.js'
import {planJob} from './plan-job.js'
import type {JobOrder} from './run-job.js'

/** Runs that wait or run at one time. */
const MOST_OPEN = 16
/** Ended jobs that are remembered with their answers. */
const MOST_ENDED = 1000
const RECENT = 20
const CANCEL_GRACE_MS = 30_000

/** Who counts what jobs do. */
export interface JobObserver {
  observed(job: JobFile, observations: Observations): void
  ended(job: JobFile): void
}

export interface BenchJobsOptions {
  /** Where run directories are made. */
  readonly folder: string
  /** Servers that requests may name. */
  readonly targets: readonly string[]
  readonly logger: Logger
  startProcess(): Worker<JobOrder, JobReport>
}

export interface PostedJob {
  readonly job: JobJson
  /** How many run before it; 0 for the one that runs or is next. */
  readonly position: number
}

interface Job {
  file: JobFile
  readonly request: JobRequest | null
  stage: JobStage | null
  progress: JobProgress | null
  live: LiveFigures | null
  updatedAt: string
  process: Worker<JobOrder, JobReport> | null
  isCancelled: boolean
}

/** Benchmarks one after another, each in a process of its own; what became of them stands in their run directories. */
export class BenchJobs {
  readonly #options: BenchJobsOptions
  /** By run id, in order of arrival. */
  readonly #jobs = new Map<string, Job>()
  readonly #observers: JobObserver[] = []
  readonly #owner: JobFile['owner']
  #posting: Promise<unknown> = Promise.resolve()
  #running: Promise<void> | null = null
  #isClosed = false

  private constructor(options: BenchJobsOptions, owner: JobFile['owner']) {
    this.#options = options
    this.#owner = owner
  }

  /** Jobs that a server left open when it was killed are failed from now on. */
  static async open(options: BenchJobsOptions): Promise<BenchJobs> {
    const owner = {pid: process.pid, start_ticks: await readStartTicks(process.pid)}
    const folder = resolve(options.folder)
    const jobs = new BenchJobs({...options, folder}, owner)
    for (const file of (await recoverJobs(folder, () => new Date())).reverse()) {
      if (file.status !== 'queued' && file.status !== 'running') jobs.#remember(file, null)
    }
    return jobs
  }

  get folder(): string {
    return this.#options.folder
  }

  get targets(): readonly string[] {
    return this.#options.targets
  }

  observe(observer: JobObserver): void {
    this.#observers.push(observer)
  }

  /**
   * Takes a request. One with a key that was used answers with that key's job again.
   *
   * @throws as `planJob`; ResourceError `QUEUE_FULL`, `KEY_REUSED`, `NOT_WRITABLE`
   */
  async post(request: JobRequest, key: string | null): Promise<PostedJob> {
    // One at a time: two posts with one key must not both be new.
    const posted = this.#posting.then(() => this.#post(request, key))
    this.#posting = posted.catch(() => undefined)
    return posted
  }

  async #post(request: JobRequest, key: string | null): Promise<PostedJob> {
    const request_sha256 = createHash('sha256').update(JSON.stringify(request)).digest('hex')
    const earlier =
      key === null ? undefined : [...this.#jobs.values()].find(({file}) => file.idempotency_key === key)
    if (earlier !== undefined) {
      if (earlier.file.request_sha256 === request_sha256) return this.#posted(earlier)
      throw new ResourceError(
        'KEY_REUSED',
        `the Idempotency-Key of ${earlier.file.run_id} came with another request`,
      )
    }
    const {profileName, ask} = await planJob(request, this.#options.targets)
    if (this.#open().length >= MOST_OPEN) {
      throw new ResourceError('QUEUE_FULL', `${MOST_OPEN} runs are waiting or running already`)
    }
    const {runId} = await createRunDirectory(this.#options.folder, new Date())
    const file: JobFile = {
      schema_version: 1,
      run_id: runId,
      status: 'queued',
      namespace: ask.notes.namespace ?? 'default',
      service: ask.notes.service ?? null,
      profile: profileName,
      labels: request.labels,
      created_at: new Date().toISOString(),
      started_at: null,
      ended_at: null,
      exit_code: null,
      error: null,
      owner: this.#owner,
      request_sha256,
      idempotency_key: key,
    }
    await writeJobFile(this.#options.folder, file)
    const job = this.#remember(file, request)
    this.#work()
    return this.#posted(job)
  }

  /** What runs, what waits, what ended last. */
  status(): {
    readonly active: JobJson | null
    readonly queued: readonly JobJson[]
    readonly recent: readonly JobJson[]
  } {
    const jobs = [...this.#jobs.values()]
    const running = jobs.find(({file}) => file.status === 'running')
    const queued = jobs.filter(({file}) => file.status === 'queued')
    const ended = jobs.filter(({file}) => file.ended_at !== null)
    const byEnd = ended.sort((one, other) => other.file.ended_at!.localeCompare(one.file.ended_at!))
    return {
      active: running === undefined ? null : jobJson(running),
      queued: queued.map(jobJson),
      recent: byEnd.slice(0, RECENT).map(jobJson),
    }
  }

  find(runId: string): JobJson | null {
    const job = this.#jobs.get(runId)
    return job === undefined ? null : jobJson(job)
  }

  /** @throws ResourceError `RUN_NOT_FOUND`, `RUN_ENDED` */
  async cancel(runId: string): Promise<JobJson> {
    const job = this.#jobs.get(runId)
    if (job === undefined) throw new ResourceError('RUN_NOT_FOUND', `no run ${runId} was asked for here`)
    if (job.file.ended_at !== null)
      throw new ResourceError('RUN_ENDED', `${runId} is ${job.file.status} already`)
    job.isCancelled = true
    if (job.file.status === 'queued') {
      await this.#end(job, {status: 'cancelled', exit_code: 130, error: null})
      return jobJson(job)
    }
    const {process} = job
    process?.send({kind: 'cancel'})
    // One that does not come to its end would hold up all that wait.
    if (process) setTimeout(() => void process.stop(0), CANCEL_GRACE_MS).unref()
    return jobJson(job)
  }

  /** Cancels what runs and what waits. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const {file} of this.#open()) await this.cancel(file.run_id).catch(() => undefined)
    await this.#running
  }

  #open(): Job[] {
    return [...this.#jobs.values()].filter(({file}) => file.ended_at === null)
  }

  #posted(job: Job): PostedJob {
    const position = this.#open().indexOf(job)
    return {job: jobJson(job), position: Math.max(0, position)}
  }

  #remember(file: JobFile, request: JobRequest | null): Job {
    const job: Job = {
      ...{file, request, stage: null, progress: null, live: null, process: null, isCancelled: false},
      updatedAt: file.ended_at ?? file.created_at,
    }
    this.#jobs.set(file.run_id, job)
    if (this.#jobs.size <= MOST_ENDED) return job
    const ended = [...this.#jobs.values()].filter(one => one.file.ended_at !== null)
    for (const old of ended.slice(0, Math.max(0, ended.length - MOST_ENDED)))
      this.#jobs.delete(old.file.run_id)
    return job
  }

  /** Runs what waits, one after another. */
  #work(): void {
    this.#running ??= this.#drain().finally(() => {
      this.#running = null
      // Posted between the last look and now.
      if (this.#open().length > 0 && !this.#isClosed) this.#work()
    })
  }

  async #drain(): Promise<void> {
    for (;;) {
      const next = [...this.#jobs.values()].find(({file}) => file.status === 'queued')
      if (next === undefined) return
      await this.#run(next)
    }
  }

  async #run(job: Job): Promise<void> {
    let ended: Extract<JobReport, {kind: 'ended'}> | null = null
    try {
      await this.#change(job, {status: 'running', started_at: new Date().toISOString()})
      const process = (job.process = this.#options.startProcess())
      const runPath = join(this.#options.folder, job.file.run_id)
      process.send({kind: 'run', request: job.request!, targets: this.#options.targets, runPath})
      if (job.isCancelled) process.send({kind: 'cancel'})
      for await (const report of process.reports()) {
        this.#take(job, report)
        if (report.kind !== 'ended') continue
        ended = report
        break
      }
      await process.stop(CANCEL_GRACE_MS)
      if (ended === null) throw new Error('the process of the run ended without a word')
      await this.#end(job, {status: ended.status, exit_code: ended.exitCode, error: ended.error})
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#options.logger.error(`run ${job.file.run_id}: ${message}`)
      await this.#end(
        job,
        job.isCancelled
          ? {status: 'cancelled', exit_code: 130, error: null}
          : {status: 'failed', exit_code: 1, error: {code: 'RUN_DIED', message}},
      )
    } finally {
      await job.process?.stop(0)
      job.process = null
    }
  }

  #take(job: Job, report: JobReport): void {
    job.updatedAt = new Date().toISOString()
    if (report.kind === 'stage') job.stage = report.stage
    if (report.kind !== 'progress') return
    job.progress = report.progress
    job.live = report.live
    for (const observer of this.#observers) observer.observed(job.file, report.observations)
  }

  async #end(job: Job, change: Pick<JobFile, 'status' | 'exit_code' | 'error'>): Promise<void> {
    job.file = {...job.file, ...change, ended_at: new Date().toISOString()}
    job.updatedAt = job.file.ended_at!
    for (const observer of this.#observers) observer.ended(job.file)
    try {
      if (change.status === 'failed') await markFailed(this.#options.folder, job.file)
      else await writeJobFile(this.#options.folder, job.file)
    } catch (error) {
      this.#options.logger.error(
        `run ${job.file.run_id}: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
  }

  async #change(job: Job, change: Partial<JobFile>): Promise<void> {
    job.file = {...job.file, ...change}
    job.updatedAt = new Date().toISOString()
    await writeJobFile(this.#options.folder, job.file)
  }
}

function jobJson({file, stage, progress, live, updatedAt}: Job): JobJson {
  const {
    run_id,
    status,
    namespace,
    service,
    profile,
    labels,
    created_at,
    started_at,
    ended_at,
    exit_code,
    error,
  } = file
  const known = {run_id, status, stage, namespace, service, profile, labels, created_at, started_at}
  return {...known, updated_at: updatedAt, ended_at, exit_code, error, progress, live}
}
