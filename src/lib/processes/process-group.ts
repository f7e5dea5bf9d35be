const running = new Set<number>()
let isExitWatched = false

/** A started process group that gets SIGTERM when kvctl exits. */
export function trackGroup(pid: number): void {
  running.add(pid)
  if (isExitWatched) return
  isExitWatched = true
  process.on('exit', () => {
    // Not SIGKILL: an engine still has its segment to remove.
    for (const group of running) killGroup(group, 'SIGTERM')
  })
}

export function untrackGroup(pid: number): void {
  running.delete(pid)
}

export function isTracked(pid: number): boolean {
  return running.has(pid)
}

export function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // It ended between the check and the call.
  }
}
