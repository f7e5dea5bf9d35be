import {join} from 'node:path'
import {libc} from '../../native/libc.js'
import {loadNvml} from '../../native/nvml.js'
import {packageRoot} from '../foundation/index.js'
import {GpuSession, type GpuReport, type GpuSessionOptions} from './gpu-session.js'

/** What the sampler tells the process that talks to the driver. */
export type GpuOrder =
  | {readonly kind: 'open'; readonly options: GpuSessionOptions}
  | {readonly kind: 'look'; readonly skip: readonly number[]}

/** The compiled entry file of that process. */
export const gpuProcessPath: string = join(packageRoot, 'dist/workers/gpu-sampler.js')

/**
 * Carries out orders in this process, which ends with its parent even while a call into the driver blocks it.
 *
 * @returns takes one order after another
 */
export function serveGpuOrders(report: (report: GpuReport) => void): (order: GpuOrder) => void {
  libc.dieWithParent()
  let session: GpuSession | null = null
  return order => {
    if (order.kind === 'open') {
      const {options} = order
      session = new GpuSession(() => loadNvml(options.libraryPath), options)
      return
    }
    for (const part of session!.look(new Set(order.skip))) report(part)
  }
}
