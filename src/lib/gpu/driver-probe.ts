import {join} from 'node:path'
import {performance} from 'node:perf_hooks'
import {libc} from '../../native/libc.js'
import {loadNvml} from '../../native/nvml.js'
import {packageRoot} from '../foundation/index.js'
import {CallTimes, type CallTime} from './call-times.js'
import {readCuda, type CudaLook} from './cuda-look.js'
import {GpuSession, type GpuReport} from './gpu-session.js'

/** Which driver library to ask. Null is where drivers put it. */
export interface ProbeOrder {
  readonly library: 'nvml' | 'cuda'
  readonly path: string | null
}

/** What the asking process says, in order. */
export type ProbeReport =
  /** Sent before each call: the last one of these names the call that hangs. */
  | {readonly kind: 'calling'; readonly call: string}
  | GpuReport
  | {readonly kind: 'calls'; readonly calls: readonly CallTime[]}
  | {readonly kind: 'cuda'; readonly cuda: CudaLook}

/** The compiled entry file of that process. */
export const driverProbePath: string = join(packageRoot, 'dist/workers/driver-probe.js')

/** Looks after the first one, from which calls are timed: the first pays for what the driver sets up. */
const TIMED_LOOKS = 3
const LONGEST_MS = 1500

/** Carries out one order in this process, which ends with its parent even while a call into the driver blocks it. */
export function serveDriverProbe(report: (report: ProbeReport) => void): (order: ProbeOrder) => void {
  libc.dieWithParent()
  return ({library, path}) => {
    if (library === 'cuda') {
      report({kind: 'cuda', cuda: readCuda(path, call => report({kind: 'calling', call}))})
      return
    }
    const times = new CallTimes(call => report({kind: 'calling', call}))
    const session = new GpuSession(() => loadNvml(path, times.watch), {
      libraryPath: path,
      healthMs: 0,
      retryMs: 30_000,
      pciFolder: '/sys/bus/pci/devices',
    })
    for (const part of session.look(new Set())) if (part.kind !== 'done') report(part)
    times.forgetAllBut('nvmlInit_v2')
    const startMs = performance.now()
    for (let look = 0; look < TIMED_LOOKS && performance.now() - startMs < LONGEST_MS; look++)
      Array.from(session.look(new Set()))
    report({kind: 'calls', calls: times.summary()})
    report({kind: 'done'})
  }
}
