import type {Clock} from '../lib/foundation/index.js'
import type {Machine, MachineLook} from '../lib/machine/index.js'

/** What is known of this host within the time that somebody may wait. */
export interface FedLook {
  readonly look: MachineLook
  /** For how long a newer look has been waited for in vain; null when this is the newest. */
  readonly lateMs: number | null
}

/** Looks at this host that everybody shares, and for which nobody waits long. */
export interface MachineFeed {
  /** @param patienceMs after which the look before is given; where there is none, one that knows nothing after 4 s */
  look(patienceMs: number): Promise<FedLook>
}

/** The driver and the process that asks it must start. */
const FIRST_MS = 4000
/** Looks that begin within this of each other are one. */
const SHARED_MS = 100

/** @param machine whose looks may take as long as a driver that hangs */
export function createMachineFeed(machine: Pick<Machine, 'look'>, clock: Clock): MachineFeed {
  let latest: MachineLook | null = null
  let current: Promise<MachineLook> | null = null
  let startedMs = -Infinity
  const nowMs = (): number => clock.nowNs() / 1e6

  const take = async (): Promise<MachineLook> => {
    if (current) return current
    if (latest && nowMs() - startedMs < SHARED_MS) return latest
    startedMs = nowMs()
    current = machine.look().finally(() => (current = null))
    return (latest = await current)
  }
  return {
    async look(patienceMs) {
      let timer: NodeJS.Timeout | undefined
      const waitMs = latest === null ? Math.max(patienceMs, FIRST_MS) : patienceMs
      const late = new Promise<null>(resolve => (timer = setTimeout(resolve, waitMs, null)))
      const look = take()
      // When nobody waits any more, it fails for nobody.
      look.catch(() => undefined)
      const fresh = await Promise.race([look, late])
      clearTimeout(timer)
      if (fresh) return {look: fresh, lateMs: null}
      return {look: latest ?? nothingKnown(), lateMs: Math.round(nowMs() - startedMs)}
    },
  }
}

/** What is said as long as the driver has never answered. */
function nothingKnown(): MachineLook {
  const takenAtMs = Date.now()
  const driver = {
    state: 'hung',
    problem: null,
    driverVersion: null,
    nvmlVersion: null,
    cudaVersion: null,
  } as const
  return {takenAtMs, gpus: {takenAtMs, tookMs: 0, driver, gpus: []}, segments: [], engines: [], shares: []}
}
