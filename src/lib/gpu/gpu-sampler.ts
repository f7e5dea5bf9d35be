import type {Clock} from '../foundation/index.js'
import type {Worker} from '../processes/index.js'
import {troubledDriver} from './driver-state.js'
import {identityOf} from './figures.js'
import type {DriverLook, GpuLook, GpusLook} from './gpu-look.js'
import {taskNamed, type GpuOrder} from './gpu-process.js'
import {unreadGpu, type GpuReport, type GpuSessionOptions} from './gpu-session.js'

type GpuReports = readonly GpuReport[]

export interface GpuSamplerOptions extends GpuSessionOptions {
  /** Starts a process that serves {@link GpuOrder}s. */
  readonly startProcess: () => Worker<GpuOrder, GpuReports>
  readonly clock: Clock
  /** How long one GPU, or the driver's start, may take before its process is killed. */
  readonly patienceMs: number
}

/** Looks at all GPUs through a process of its own: a driver that hangs takes that process along, never this one. */
export interface GpuSampler {
  /**
   * One look; callers at the same time share it. Never fails because of a driver: the look says what is wrong.
   *
   * @throws the signal's reason when aborted first; after `close`
   */
  look(signal?: AbortSignal): Promise<GpusLook>
  /** How often the driver was asked so far. */
  rounds(): number
  /** Ends the process without waiting for it. */
  close(): void
}

type Ending = 'done' | 'hung' | 'crashed'

/** The process that is asked. */
interface Asked {
  readonly worker: Worker<GpuOrder, GpuReports>
  readonly reports: AsyncGenerator<GpuReports, void>
  /** Its first look is over: from then on it reports a look whole. */
  isProven: boolean
}

/** What a round of questions brought before it ended. */
interface Round {
  readonly ending: Ending
  readonly driver: DriverLook | null
  readonly count: number
  readonly gpus: readonly GpuLook[]
  /** The GPU, or the driver itself, that did not answer; null when all did, and when nobody can tell. */
  readonly culprit: number | 'driver' | null
}

/** A GPU that did not answer, and when it may be asked again. */
interface Grudge {
  readonly state: 'hung' | 'failed'
  readonly untilMs: number
  readonly waitMs: number
}

const LONGEST_WAIT_MS = 600_000
/** How often a silent process is asked, while patience lasts, whether it has got on. */
const STEPS = 10

export function createGpuSampler(options: GpuSamplerOptions): GpuSampler {
  const {startProcess, clock, patienceMs, retryMs} = options
  let process: Asked | null = null
  let current: Promise<GpusLook> | null = null
  let trouble: {look: GpusLook; untilMs: number} | null = null
  let rounds = 0
  let isClosed = false
  const grudges = new Map<number, Grudge>()
  const lastSeen = new Map<number, GpuLook>()
  const nowMs = (): number => clock.nowNs() / 1e6

  const abandon = (): void => {
    process?.worker.abandon()
    process = null
  }

  const open = (): Asked => {
    if (process) return process
    // A process that nobody ends would keep this one alive.
    if (isClosed) throw new Error('the GPU sampler is closed')
    const worker = startProcess()
    const {libraryPath, healthMs, pciFolder, figures = 'all'} = options
    worker.send({kind: 'open', options: {libraryPath, healthMs, retryMs, pciFolder, figures}})
    return (process = {worker, reports: worker.reports(), isProven: false})
  }

  const askRound = async (skip: readonly number[]): Promise<Round> => {
    rounds++
    const asked = open()
    const {worker, reports, isProven} = asked
    worker.send({kind: 'look', skip})
    let driver: DriverLook | null = null
    let count = 0
    const gpus: GpuLook[] = []
    for (;;) {
      const parts = await nextWithin(reports, patienceMs, () => worker.task())
      if (parts === 'hung' || parts === 'crashed') {
        const shown = parts === 'hung' ? taskNamed(worker.task()) : null
        abandon()
        const missing = driver === null ? 'driver' : firstUnread(count, gpus, skip)
        const culprit = isProven ? (shown === 'events' ? null : shown) : missing
        return {ending: parts, driver, count, gpus, culprit}
      }
      for (const part of parts) {
        if (part.kind === 'gpu') gpus.push(part.gpu)
        else if (part.kind === 'driver') ({driver, count} = part)
        else {
          asked.isProven = true
          return {ending: 'done', driver, count, gpus, culprit: null}
        }
      }
    }
  }

  /** Asks again without the GPU at which a round ended, until a round ends well: each GPU can end only one. */
  const askAround = async (): Promise<Round> => {
    for (;;) {
      const skip = [...grudges].filter(([, {untilMs}]) => untilMs > nowMs()).map(([index]) => index)
      const round = await askRound(skip)
      for (const {index} of round.gpus) grudges.delete(index)
      const {ending, culprit} = round
      if (ending === 'done' || culprit === 'driver') return round
      // Nobody can tell: the first look of a new process will, part by part.
      if (culprit === null) continue
      const waitMs = Math.min((grudges.get(culprit)?.waitMs ?? retryMs / 2) * 2, LONGEST_WAIT_MS)
      const state = ending === 'hung' ? 'hung' : 'failed'
      grudges.set(culprit, {state, waitMs, untilMs: nowMs() + waitMs})
    }
  }

  const take = async (): Promise<GpusLook> => {
    if (trouble && nowMs() < trouble.untilMs) return trouble.look
    const startMs = nowMs()
    const takenAtMs = Date.now()
    const {ending, driver: told, count, gpus} = await askAround()
    const driver = told ?? troubledDriver(ending === 'hung' ? 'hung' : 'crashed', 'nvmlInit_v2')
    for (const gpu of gpus) lastSeen.set(gpu.index, gpu)
    const read = new Map(gpus.map(gpu => [gpu.index, gpu]))
    const look: GpusLook = {
      takenAtMs,
      tookMs: nowMs() - startMs,
      driver,
      gpus: Array.from({length: count}, (_, index) => read.get(index) ?? unanswered(index)),
    }
    // A library that could not start, or lost its driver, stays so in its process: the next look gets a new one.
    trouble = driver.state === 'ok' ? null : {look, untilMs: nowMs() + retryMs}
    if (trouble) abandon()
    return look
  }

  const unanswered = (index: number): GpuLook => {
    const before = lastSeen.get(index)
    const state = grudges.get(index)?.state ?? 'hung'
    return unreadGpu(index, state, 'driver_hung', before && identityOf(before))
  }

  return {
    async look(signal) {
      signal?.throwIfAborted()
      current ??= take().finally(() => (current = null))
      if (!signal) return current
      let leave!: () => void
      const aborted = new Promise<never>((_, reject) => {
        leave = () => reject(signal.reason as Error)
      })
      signal.addEventListener('abort', leave)
      try {
        return await Promise.race([current, aborted])
      } finally {
        signal.removeEventListener('abort', leave)
      }
    },
    rounds: () => rounds,
    close() {
      isClosed = true
      abandon()
    },
  }
}

/** The GPU whose figures were being read when a round ended that was told part by part: in the order of indexes. */
function firstUnread(count: number, gpus: readonly GpuLook[], skip: readonly number[]): number | null {
  const answered = new Set([...gpus.map(({index}) => index), ...skip])
  const unread = Array.from({length: count}, (_, index) => index).find(index => !answered.has(index))
  return unread ?? null
}

/** @param task what the process is at: while that changes, the next question has patience of its own */
async function nextWithin(
  reports: AsyncGenerator<GpuReports, void>,
  patienceMs: number,
  task: () => string | null,
): Promise<GpuReports | 'hung' | 'crashed'> {
  // A process that ends by itself, however it does, has not answered.
  const next = reports.next().then(
    ({value}) => value ?? ('crashed' as const),
    () => 'crashed' as const,
  )
  let before: string | null | undefined
  for (let steps = 0; steps < STEPS;) {
    const parts = await within(next, patienceMs / STEPS)
    if (parts !== null) return parts
    const now = task()
    steps = now === before ? steps + 1 : 1
    before = now
  }
  return 'hung'
}

async function within<T>(answer: Promise<T>, ms: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>(resolve => {
    timer = setTimeout(resolve, ms, null)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
