import {join} from 'node:path'
import {libc} from '../../native/libc.js'
import {loadNvml} from '../../native/nvml.js'
import {packageRoot} from '../foundation/index.js'
import {createTaskSign} from '../processes/index.js'
import {GpuSession, type GpuReport, type GpuSessionOptions, type GpuTask} from './gpu-session.js'

/** What the sampler tells the process that talks to the driver. */
export type GpuOrder =
  | {readonly kind: 'open'; readonly options: GpuSessionOptions}
  | {readonly kind: 'look'; readonly skip: readonly number[]}

/** The compiled entry file of that process. */
export const gpuProcessPath: string = join(packageRoot, 'dist/workers/gpu-sampler.js')

/** Also what that process is called in `ps` meanwhile. */
export const taskName = (task: GpuTask | 'none'): string =>
  typeof task === 'number' ? `kvctl gpu ${task}` : task === 'none' ? 'kvctl gpus' : `kvctl ${task}`

/** @returns what a process of that {@link taskName} asks; null for one that asks nothing, and for other names */
export function taskNamed(name: string | null): GpuTask | null {
  if (name === taskName('driver')) return 'driver'
  if (name === taskName('events')) return 'events'
  const index = /^kvctl gpu (\d+)$/.exec(name ?? '')?.[1]
  return index === undefined ? null : Number(index)
}

/**
 * Carries out orders in this process, which ends with its parent even while a call into the driver blocks it.
 *
 * The first look is reported part by part: what hangs or crashes does so there, and the next part tells where. Later ones are
 * reported whole, which costs both sides a fraction; where one of them hangs is seen by this process's name.
 *
 * @returns takes one order after another
 */
export function serveGpuOrders(report: (parts: readonly GpuReport[]) => void): (order: GpuOrder) => void {
  libc.dieWithParent()
  const show = createTaskSign()
  const onTask = (task: GpuTask | 'none'): void => show(taskName(task))
  let session: GpuSession | null = null
  let isProven = false
  return order => {
    if (order.kind === 'open') {
      const {options} = order
      session = new GpuSession(() => loadNvml(options.libraryPath), options)
      return
    }
    let parts: GpuReport[] = []
    for (const part of session!.look(new Set(order.skip), onTask)) {
      parts.push(part)
      if (isProven && part.kind !== 'done') continue
      report(parts)
      parts = []
    }
    isProven = true
    onTask('none')
  }
}
