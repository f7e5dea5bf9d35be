import type {Worker} from '../processes/index.js'
import type {CallTime} from './call-times.js'
import type {CudaLook} from './cuda-look.js'
import type {ProbeOrder, ProbeReport} from './driver-probe.js'
import {troubledDriver} from './driver-state.js'
import type {DriverLook, GpuLook} from './gpu-look.js'

export interface DriverProbeOptions {
  /** Starts a process that serves one {@link ProbeOrder}. */
  readonly startProcess: () => Worker<ProbeOrder, ProbeReport>
  /** Null finds the library where drivers put it. */
  readonly libraryPath: string | null
  /** How long all calls together may take before the process is killed. */
  readonly patienceMs: number
  /** Ends the process at once; the answer is then that of a driver that hangs. */
  readonly signal?: AbortSignal
}

/** What NVML said when asked once, and how long each call took. */
export interface NvmlProbe {
  readonly driver: DriverLook
  /** Those that answered. */
  readonly gpus: readonly GpuLook[]
  /** How many the driver counts. */
  readonly count: number
  /** Slowest first; empty when it never came so far. */
  readonly calls: readonly CallTime[]
  /** The call in which the driver hangs or its library crashed. */
  readonly stuckIn: string | null
}

/** Asks NVML. Never fails because of a driver, and never waits for one longer than its patience. */
export async function probeNvml(options: DriverProbeOptions): Promise<NvmlProbe> {
  const heard: {driver: DriverLook | null; count: number; calls: readonly CallTime[]; gpus: GpuLook[]} = {
    ...{driver: null, count: 0, calls: [], gpus: []},
  }
  const {ending, lastCall} = await hear('nvml', options, report => {
    if (report.kind === 'driver') ({driver: heard.driver, count: heard.count} = report)
    if (report.kind === 'gpu') heard.gpus.push(report.gpu)
    if (report.kind === 'calls') heard.calls = report.calls
    return report.kind === 'done'
  })
  return {
    ...heard,
    driver: heard.driver ?? troubledDriver(ending === 'hung' ? 'hung' : 'crashed', lastCall),
    stuckIn: ending === 'done' ? null : lastCall,
  }
}

/** Asks the CUDA driver, without making a context. */
export async function probeCuda(options: DriverProbeOptions): Promise<CudaLook> {
  const heard: {cuda: CudaLook | null} = {cuda: null}
  const {ending, lastCall} = await hear('cuda', options, report => {
    if (report.kind === 'cuda') heard.cuda = report.cuda
    return report.kind === 'cuda'
  })
  const state = ending === 'hung' ? 'hung' : 'crashed'
  return heard.cuda ?? {state, status: null, problem: lastCall, version: null, devices: []}
}

/** @param take gets each report; true ends it */
async function hear(
  library: ProbeOrder['library'],
  {startProcess, libraryPath, patienceMs, signal}: DriverProbeOptions,
  take: (report: ProbeReport) => boolean,
): Promise<{readonly ending: 'done' | 'hung' | 'crashed'; readonly lastCall: string}> {
  const worker = startProcess()
  worker.send({library, path: libraryPath})
  let lastCall = 'the start of its process'
  const listen = async (): Promise<'done' | 'crashed'> => {
    try {
      for await (const report of worker.reports()) {
        if (report.kind === 'calling') lastCall = report.call
        else if (take(report)) return 'done'
      }
    } catch {
      // It died; nobody needs to know of what signal.
    }
    return 'crashed'
  }
  const over = new AbortController()
  const late = new Promise<'hung'>(resolve => {
    const timer = setTimeout(resolve, patienceMs, 'hung')
    over.signal.addEventListener('abort', () => clearTimeout(timer))
    signal?.addEventListener('abort', () => resolve('hung'), {signal: over.signal})
    if (signal?.aborted) resolve('hung')
  })
  const ending = await Promise.race([listen(), late])
  over.abort()
  worker.abandon()
  return {ending, lastCall}
}
