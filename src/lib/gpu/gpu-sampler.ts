import type {Clock} from '../foundation/index.js'
import type {Worker} from '../processes/index.js'
import {troubledDriver} from './driver-state.js'
import {identityOf} from './figures.js'
import type {DriverLook, GpuLook, GpusLook} from './gpu-look.js'
import type {GpuOrder} from './gpu-process.js'
import {unreadGpu, type GpuReport, type GpuSessionOptions} from './gpu-session.js'

export interface GpuSamplerOptions extends GpuSessionOptions {
  /** Starts a process that serves {@link GpuOrder}s. */
  readonly startProcess: () => Worker<GpuOrder, GpuReport>
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

/** What a round of questions brought before it ended. */
interface Round {
  readonly ending: Ending
  readonly driver: DriverLook | null
  readonly count: number
  readonly gpus: readonly GpuLook[]
}

/** A GPU that did not answer, and when it may be asked again. */
interface Grudge {
  readonly state: 'hung' | 'failed'
  readonly untilMs: number
  readonly waitMs: number
}

const LONGEST_WAIT_MS = 600_000

export function createGpuSampler(options: GpuSamplerOptions): GpuSampler {
  const {startProcess, clock, patienceMs, retryMs} = options
  let process: {worker: Worker<GpuOrder, GpuReport>; reports: AsyncGenerator<GpuReport, void>} | null = null
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

  const open = (): NonNullable<typeof process> => {
    if (process) return process
    // A process that nobody ends would keep this one alive.
    if (isClosed) throw new Error('the GPU sampler is closed')
    const worker = startProcess()
    const {libraryPath, healthMs, pciFolder} = options
    worker.send({kind: 'open', options: {libraryPath, healthMs, retryMs, pciFolder}})
    return (process = {worker, reports: worker.reports()})
  }

  const askRound = async (skip: readonly number[]): Promise<Round> => {
    rounds++
    const {worker, reports} = open()
    worker.send({kind: 'look', skip})
    let driver: DriverLook | null = null
    let count = 0
    const gpus: GpuLook[] = []
    for (;;) {
      const report = await nextWithin(reports, patienceMs)
      if (report === 'hung' || report === 'crashed') {
        abandon()
        return {ending: report, driver, count, gpus}
      }
      if (report.kind === 'done') return {ending: 'done', driver, count, gpus}
      if (report.kind === 'gpu') gpus.push(report.gpu)
      else ({driver, count} = report)
    }
  }

  /** Asks again without the GPU at which a round ended, until a round ends well: each GPU can end only one. */
  const askAround = async (): Promise<Round> => {
    for (;;) {
      const skip = [...grudges].filter(([, {untilMs}]) => untilMs > nowMs()).map(([index]) => index)
      const round = await askRound(skip)
      for (const {index} of round.gpus) grudges.delete(index)
      const culprit = firstUnread(round, skip)
      if (round.ending === 'done' || round.driver === null || culprit === null) return round
      const waitMs = Math.min((grudges.get(culprit)?.waitMs ?? retryMs / 2) * 2, LONGEST_WAIT_MS)
      const state = round.ending === 'hung' ? 'hung' : 'failed'
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
      const stop = new AbortController()
      const aborted = new Promise<never>((_, reject) => {
        const leave = (): void => reject(signal.reason as Error)
        signal.addEventListener('abort', leave, {once: true, signal: stop.signal})
      })
      try {
        return await Promise.race([current, aborted])
      } finally {
        stop.abort()
      }
    },
    rounds: () => rounds,
    close() {
      isClosed = true
      abandon()
    },
  }
}

/** The GPU whose figures were being read when the round ended: reports come in the order of indexes. */
function firstUnread({count, gpus}: Round, skip: readonly number[]): number | null {
  const answered = new Set([...gpus.map(({index}) => index), ...skip])
  const unread = Array.from({length: count}, (_, index) => index).find(index => !answered.has(index))
  return unread ?? null
}

async function nextWithin(
  reports: AsyncGenerator<GpuReport, void>,
  patienceMs: number,
): Promise<GpuReport | 'hung' | 'crashed'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'hung'>(resolve => {
    timer = setTimeout(resolve, patienceMs, 'hung')
  })
  try {
    // A process that ends by itself, however it does, has not answered.
    const next = reports.next().then(
      ({value}) => value ?? ('crashed' as const),
      () => 'crashed' as const,
    )
    return await Promise.race([next, late])
  } finally {
    clearTimeout(timer)
  }
}
