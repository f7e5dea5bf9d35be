/** One segment at one moment. All figures in bytes. */
export interface BalanceLook {
  readonly segment: string
  readonly limitBytes: number
  /** What the engine holds: used and preallocated. */
  readonly heldBytes: number
  /** How much KV cache its requests want now. */
  readonly demandBytes: number
  readonly floorBytes: number
  /** Below the start-up total: at or above it engines ignore a limit or break. */
  readonly ceilingBytes: number
}

export interface BalanceMove {
  readonly segment: string
  readonly fromBytes: number
  readonly toBytes: number
  readonly because: string
}

export interface BalancePlan {
  /** Where limits should be, by segment; none where nothing can be shared. */
  readonly targets: ReadonlyMap<string, number>
  /** From where they are to there: shrinks first. Empty where nothing is worth a move. */
  readonly moves: readonly BalanceMove[]
}

/** A limit between two pages is one that no engine can fill. */
const PAGE_BYTES = 2 * 2 ** 20

/**
 * Pure: how a memory of `totalBytes` should be shared. Everybody has its floor; what is above the floors is shared by demand,
 * and nobody gets more than its ceiling. Without any demand everything stays, but for what is above its ceiling.
 *
 * @param stepBytes a limit that is off by less stays
 */
export function planBalance(
  looks: readonly BalanceLook[],
  totalBytes: number,
  stepBytes: number,
): BalancePlan {
  const targets = shareByDemand(looks, totalBytes)
  const moves = looks.flatMap((look): BalanceMove[] => {
    const toBytes = targets.get(look.segment)!
    if (Math.abs(toBytes - look.limitBytes) < Math.max(stepBytes, PAGE_BYTES)) return []
    return [
      {segment: look.segment, fromBytes: look.limitBytes, toBytes, because: reasonOf(look, looks, toBytes)},
    ]
  })
  return {targets, moves: moves.sort((a, b) => a.toBytes - a.fromBytes - (b.toBytes - b.fromBytes))}
}

/**
 * Pure: what of a plan can be written at this moment. Shrinks always; a raise only into memory that nobody has a right to or
 * still holds, so that neither the limits nor what engines hold ever exceed the total. A raise in parts leaves no rest that
 * would be too small for a move of its own.
 */
export function movesAllowedNow(
  looks: readonly BalanceLook[],
  {moves}: BalancePlan,
  totalBytes: number,
  stepBytes: number,
): BalanceMove[] {
  const limits = new Map(looks.map(({segment, limitBytes}) => [segment, limitBytes]))
  const allowed = moves.filter(({fromBytes, toBytes}) => toBytes < fromBytes)
  for (const {segment, toBytes} of allowed) limits.set(segment, toBytes)
  let freeBytes =
    totalBytes -
    looks.reduce((sum, {segment, heldBytes}) => sum + Math.max(limits.get(segment)!, heldBytes), 0)
  for (const move of moves) {
    if (move.toBytes <= move.fromBytes) continue
    const toBytes = pages(Math.min(move.toBytes, move.fromBytes + Math.max(0, freeBytes)))
    const restBytes = move.toBytes - toBytes
    const isStuck = restBytes > 0 && restBytes < Math.max(stepBytes, PAGE_BYTES)
    if (isStuck || toBytes < move.fromBytes + PAGE_BYTES) continue
    allowed.push({...move, toBytes})
    freeBytes -= toBytes - move.fromBytes
  }
  return allowed
}

function shareByDemand(looks: readonly BalanceLook[], totalBytes: number): Map<string, number> {
  const targets = new Map<string, number>()
  if (looks.every(({demandBytes}) => demandBytes <= 0)) {
    for (const {segment, limitBytes, ceilingBytes} of looks)
      targets.set(segment, limitBytes <= ceilingBytes ? limitBytes : pages(ceilingBytes))
    return targets
  }
  for (const {segment, floorBytes} of looks) targets.set(segment, floorBytes)
  let leftBytes = totalBytes - looks.reduce((sum, {floorBytes}) => sum + floorBytes, 0)
  // Each round somebody reaches its ceiling or everything is given away.
  let open = looks.filter(({demandBytes}) => demandBytes > 0)
  while (leftBytes >= PAGE_BYTES && open.length > 0) {
    const demand = open.reduce((sum, {demandBytes}) => sum + demandBytes, 0)
    const givenBytes = leftBytes
    for (const {segment, demandBytes, ceilingBytes} of open) {
      const now = targets.get(segment)!
      const toBytes = Math.min(ceilingBytes, now + (givenBytes * demandBytes) / demand)
      targets.set(segment, Math.max(now, toBytes))
      leftBytes -= Math.max(0, toBytes - now)
    }
    const before = open.length
    open = open.filter(({segment, ceilingBytes}) => targets.get(segment)! < ceilingBytes)
    if (open.length === before) break
    // Those who want nothing take what those who do cannot.
    if (open.length === 0)
      open = looks
        .filter(({segment, ceilingBytes}) => targets.get(segment)! < ceilingBytes)
        .map(look => ({...look, demandBytes: 1}))
  }
  for (const [segment, bytes] of targets) targets.set(segment, pages(bytes))
  return targets
}

function reasonOf(look: BalanceLook, looks: readonly BalanceLook[], toBytes: number): string {
  const demand = looks.reduce((sum, {demandBytes}) => sum + demandBytes, 0)
  if (demand <= 0) return 'its limit is above its ceiling'
  if (toBytes <= look.floorBytes + PAGE_BYTES) return 'its requests want nothing, so that it keeps its floor'
  if (toBytes >= look.ceilingBytes - PAGE_BYTES) return 'its requests want more than its ceiling'
  return `its requests want ${Math.round((look.demandBytes / demand) * 100)} % of what all want`
}

function pages(bytes: number): number {
  return Math.floor(bytes / PAGE_BYTES) * PAGE_BYTES
}
