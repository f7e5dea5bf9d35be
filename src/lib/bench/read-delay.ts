import {performance, type PerformanceNodeTiming} from 'node:perf_hooks'
import type {RunDelay} from '../processes/index.js'

/** A poll that slept longer than this found nothing ready when it began; collecting a thousand ready sockets takes less. */
const SLEPT_MS = 0.1

/**
 * Bounds how long bytes may have lain in the kernel before this process read them, from three accounts: reads of one turn of
 * the event loop share one poll, so a later one waited at most since the turn's first; a poll that slept had nothing to give
 * before, and one that did not may have had it ever since the poll before; and what the kernel let us wait for a processor
 * comes on top.
 *
 * @param runDelay null where the kernel does not tell
 * @returns a function of the moment of a read, which gives the bound, both in milliseconds
 */
export function createReadDelayMeter(runDelay: RunDelay | null): (nowMs: number) => number {
  const turnOfLoop = createTurnCounter()
  let turn = -1
  let turnStartMs = performance.now()
  let idleMs = 0
  let waitedMs = runDelay?.totalMs() ?? 0
  let waitMs = 0
  return nowMs => {
    const now = turnOfLoop()
    if (now === turn) return nowMs - turnStartMs + waitMs
    turn = now
    const {idle} = performance.eventLoopUtilization()
    const total = runDelay?.totalMs() ?? 0
    // A turn that waited before it began hands that on to all its reads; one that waited while it ran has it in its length.
    waitMs = total - waitedMs
    const hasSlept = idle - idleMs - waitMs > SLEPT_MS
    const sincePollMs = hasSlept ? 0 : nowMs - turnStartMs
    ;[turnStartMs, idleMs, waitedMs] = [nowMs, idle, total]
    return Math.max(sincePollMs, waitMs)
  }
}

/** Which turn of the event loop it is. Node 21 to 22.7 do not count them: there the end of each is waited for, which costs a poll. */
function createTurnCounter(): () => number {
  const {nodeTiming}: {nodeTiming: Partial<PerformanceNodeTiming>} = performance
  if (nodeTiming.uvMetricsInfo !== undefined) return () => performance.nodeTiming.uvMetricsInfo.loopCount
  let [turn, isAwaited] = [0, false]
  const end = (): void => {
    turn++
    isAwaited = false
  }
  return () => {
    if (!isAwaited) setImmediate(end)
    isAwaited = true
    return turn
  }
}
