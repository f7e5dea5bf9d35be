import type {Clock} from '../foundation/index.js'
import type {MonitorLook} from './host-look.js'
import type {HostWatch} from './host-watch.js'

/** A driver that has not answered after this long is asked on in the background. */
const PATIENCE_MS = 200
/** Time to draw the first look. */
const FIRST_FRAME_MS = 15
/** The first answer takes longer: its process must start. */
const FIRST_PATIENCE_MS = 2000

/** All hosts at one moment. @param patienceMs see `HostWatch.look` */
export async function lookAtHosts(
  hosts: readonly HostWatch[],
  patienceMs: number,
  signal: AbortSignal,
): Promise<MonitorLook> {
  const looks = await Promise.all(hosts.map(host => host.look(patienceMs, signal)))
  return {takenAtMs: Date.now(), hosts: looks}
}

/**
 * Looks each `intervalMs` on absolute deadlines until aborted. The first look waits for nothing slow, so that something is
 * on the screen at once; the second follows as soon as the slow ones have answered.
 *
 * @throws what `onLook` throws
 */
export async function watchHosts(
  hosts: readonly HostWatch[],
  intervalMs: number,
  onLook: (look: MonitorLook) => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  try {
    onLook(await lookAtHosts(hosts, 0, signal))
    // Who asks engines loads much code first, and nothing is drawn meanwhile.
    await clock.sleep(FIRST_FRAME_MS, signal)
    let deadlineNs = clock.nowNs()
    for (let patienceMs = FIRST_PATIENCE_MS; ; patienceMs = PATIENCE_MS) {
      onLook(await lookAtHosts(hosts, patienceMs, signal))
      deadlineNs = Math.max(deadlineNs + intervalMs * 1e6, clock.nowNs())
      await clock.sleep((deadlineNs - clock.nowNs()) / 1e6, signal)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
