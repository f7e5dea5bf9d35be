/** A pause between two reads that is longer than this was spent waiting in the poll: the process was ready. */
const IDLE_MS = 0.05

/**
 * Bounds how long bytes may have lain in the kernel before this process read them. Reads of one turn of the event loop
 * share one poll, so a later read waited at most since that turn began; when the turn before ended only just now, bytes may
 * have come any time since the one before began.
 *
 * What it cannot see is a process that was ready but not scheduled by the kernel.
 */
export function createReadDelayMeter(): (nowMs: number) => number {
  let isInTurn = false
  let turnStartMs = -Infinity
  let turnEndMs = -Infinity
  const endTurn = (): void => {
    isInTurn = false
    turnEndMs = performance.now()
  }
  return nowMs => {
    if (!isInTurn) {
      isInTurn = true
      setImmediate(endTurn)
      if (nowMs - turnEndMs > IDLE_MS) turnStartMs = nowMs
      const delayMs = nowMs - turnStartMs
      turnStartMs = nowMs
      return delayMs
    }
    return nowMs - turnStartMs
  }
}
