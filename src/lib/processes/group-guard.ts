import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {join} from 'node:path'
import {createInterface} from 'node:readline'
import {packageRoot} from '../foundation/index.js'
import {killGroup} from './process-group.js'

const guardPath = join(packageRoot, 'dist/workers/group-guard.js')

/** A process beside this one that ends process groups when this one is gone, also when it was killed. */
export interface GroupGuard {
  /**
   * @param pid leader of a process group
   * @param stopMs between SIGTERM and SIGKILL
   */
  watch(pid: number, stopMs: number): void
  /** It has ended. */
  forget(pid: number): void
  /** Ends what is still watched; resolves when that is over. */
  close(): Promise<void>
}

type Order =
  | {readonly kind: 'watch'; readonly pid: number; readonly stopMs: number}
  | {readonly kind: 'forget'; readonly pid: number}

/** Orders go through a pipe: what was written is read also when its writer is gone before the guard is up. */
export function startGroupGuard(): GroupGuard {
  const child = spawn(process.execPath, [guardPath], {stdio: ['pipe', 'ignore', 'inherit'], detached: true})
  const exited = once(child, 'exit').catch(() => {
    // It could not be started: nothing is watched.
  })
  child.stdin.on('error', () => {
    // It was killed.
  })
  child.unref()
  const send = (order: Order): void => void child.stdin.write(`${JSON.stringify(order)}\n`)
  return {
    watch: (pid, stopMs) => send({kind: 'watch', pid, stopMs}),
    forget: pid => send({kind: 'forget', pid}),
    async close() {
      child.ref()
      child.stdin.end()
      await exited
    },
  }
}

const LOOK_MS = 100

/**
 * The guard's side: takes orders until they end, then ends every group that is still watched: SIGTERM, and SIGKILL to those
 * that are there when their time is over.
 */
export async function guardGroups(orders: NodeJS.ReadableStream): Promise<void> {
  const stopMs = new Map<number, number>()
  for await (const line of createInterface({input: orders})) {
    const order = JSON.parse(line) as Order
    if (order.kind === 'watch') stopMs.set(order.pid, order.stopMs)
    else stopMs.delete(order.pid)
  }
  await Promise.all([...stopMs].map(([pid, ms]) => endGroup(pid, ms)))
}

async function endGroup(pid: number, stopMs: number): Promise<void> {
  killGroup(pid, 'SIGTERM')
  const untilMs = performance.now() + stopMs
  while (performance.now() < untilMs) {
    if (!isThere(pid)) return
    await new Promise(resolve => setTimeout(resolve, LOOK_MS))
  }
  killGroup(pid, 'SIGKILL')
}

function isThere(pid: number): boolean {
  try {
    process.kill(-pid, 0)
    return true
  } catch {
    return false
  }
}
