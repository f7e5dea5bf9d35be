import {fork, type ChildProcess} from 'node:child_process'
import {readFileSync} from 'node:fs'
import type {Socket} from 'node:net'
import {KvctlError} from '../foundation/index.js'

/** A Node child process that speaks in messages. */
export interface Worker<Order, Report> {
  readonly pid: number
  send(order: Order): void
  /** Reports in order until the worker ends or `leave` is called. @throws WorkerError when it dies by itself */
  reports(): AsyncGenerator<Report, void>
  /** What it last said by `createTaskSign`, also while it hangs; null where that cannot be read. */
  task(): string | null
  /** Waits for its end; kills it after `graceMs`. */
  stop(graceMs?: number): Promise<void>
  /** Kills it and does not wait, not even at our own exit: for one that may hang inside the kernel. */
  abandon(): void
}

/** A child process of kvctl's own died; that is a defect, not something the user did. */
export class WorkerError extends KvctlError {
  readonly exitCode = 1
}

const running = new Set<ChildProcess>()

function pauseAll(): void {
  for (const child of running) child.kill('SIGSTOP')
  process.kill(process.pid, 'SIGSTOP')
}

function continueAll(): void {
  for (const child of running) child.kill('SIGCONT')
}

/** Ctrl-Z, unlike Ctrl-C, is for workers too: a load that goes on while nobody counts it would be no pause. */
function pauseWithUs(child: ChildProcess): void {
  if (running.size === 0) process.on('SIGTSTP', pauseAll).on('SIGCONT', continueAll)
  running.add(child)
  const ended = (): void => {
    running.delete(child)
    if (running.size === 0) process.off('SIGTSTP', pauseAll).off('SIGCONT', continueAll)
  }
  child.once('exit', ended).once('error', ended)
}

/**
 * Forks an entry file of `src/workers`. The worker must end when its channel closes, which is how it learns of our death. It has
 * no terminal: Node sets one back, at its own end, to what it was at its start, which a full screen may have been.
 *
 * @param path the compiled file
 * @param serialization `advanced` for messages that JSON cannot carry, such as typed arrays; `json` costs a fraction
 */
export function startWorker<Order, Report>(
  path: string,
  serialization: 'advanced' | 'json' = 'advanced',
): Worker<Order, Report> {
  const child = fork(path, [], {
    ...{serialization, stdio: ['ignore', 'ignore', 'pipe', 'ipc']},
    // Ctrl-C is for us alone: a worker that has hardly started would die of it.
    detached: true,
  })
  pauseWithUs(child)
  const stderr = child.stderr as Socket | null
  stderr?.on('data', (text: Buffer) => process.stderr.write(text)).unref()
  const queue: Report[] = []
  let wake: (() => void) | null = null
  let hasEnded = false
  const notify = (): void => {
    wake?.()
    wake = null
  }
  child.on('message', report => {
    queue.push(report as Report)
    notify()
  })
  const end = (): void => {
    hasEnded = true
    notify()
  }
  // Reports may still be unread when the process is gone. (`close` never comes when it was us who closed the channel.)
  const exited = new Promise<void>(resolve => {
    child.once('exit', resolve).once('error', resolve)
  }).then(() => {
    if (child.connected) child.once('disconnect', end)
    else end()
  })

  return {
    pid: child.pid ?? -1,
    send(order) {
      if (child.connected) child.send(order as object)
    },
    async *reports() {
      for (;;) {
        while (queue.length > 0) yield queue.shift()!
        if (hasEnded) break
        await new Promise<void>(resolve => (wake = resolve))
      }
      if (child.exitCode !== 0) {
        throw new WorkerError(
          'WORKER_DIED',
          `${path} ended with ${child.signalCode ?? `status ${child.exitCode}`}`,
        )
      }
    },
    task() {
      try {
        return readFileSync(`/proc/${child.pid}/comm`, 'utf8').trimEnd()
      } catch {
        return null
      }
    },
    async stop(graceMs = 2000) {
      if (child.connected) child.disconnect()
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await exited
      clearTimeout(timer)
    },
    abandon() {
      child.kill('SIGKILL')
      if (child.connected) child.disconnect()
      child.unref()
    },
  }
}
