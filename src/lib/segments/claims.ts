import type {ProcessFacts} from './process-table.js'
import {isCoreTitle, isEngine, isStarter, isTool, segmentFlag} from './program-kind.js'
import {groupInName, sanitizeName} from './segment-name.js'

/** A living process that would use a segment of that name. */
export interface Claim {
  readonly pid: number
  /** Null when hidden. */
  readonly command: string | null
  /** Its process group is the one in the name, or it was told the name by environment or by flag. */
  readonly via: 'group' | 'name'
  readonly isEngine: boolean
  /** The process of an engine that writes the segment, as far as titles tell. */
  readonly isCore: boolean
}

const DEEPEST_ANCESTOR = 16

/**
 * Pure: who would use a segment of that name. Tools, shells and this process are left out.
 *
 * @returns the likeliest owner first: the core of an engine, an engine, anything else
 */
export function claimsOn(
  name: string,
  processes: readonly ProcessFacts[],
  commandOf: (pid: number) => string | null,
  ownPid: number,
): readonly Claim[] {
  const {byName, byGroup, claimed} = suspectsAmong(processes, commandOf)
  const known = claimed.get(name)
  if (known) return known
  const group = groupInName(name)
  const claims: Claim[] = []
  // Command lines are read only of those that may matter.
  const inGroup = group === null ? [] : (byGroup.get(group) ?? [])
  for (const {facts, told} of new Set([...(byName.get(name) ?? []), ...inGroup])) {
    const {pid, groupIds, title} = facts
    if (pid === ownPid) continue
    const isInGroup = group !== null && groupIds.includes(group)
    const command = commandOf(pid)
    const flag = segmentFlag(command)
    const asked = flag === null ? told : sanitizeName(flag)
    const via = asked === name ? 'name' : isInGroup && asked === null ? 'group' : null
    if (via === null || isTool(command) || isStarter(command)) continue
    claims.push({pid, command, via, isEngine: isEngine(command), isCore: isCoreTitle(title)})
  }
  const rank = ({isCore, isEngine}: Claim): number => (isCore ? 0 : isEngine ? 1 : 2)
  claims.sort((a, b) => rank(a) - rank(b) || a.pid - b.pid)
  claimed.set(name, claims)
  return claims
}

interface Suspect {
  readonly facts: ProcessFacts
  /** The segment that it was told to use. */
  readonly told: string | null
}

/** What does not depend on the segment: many segments are asked about one table. */
interface Suspects {
  /** By the name they were told, by environment or by flag. */
  readonly byName: ReadonlyMap<string, Suspect[]>
  readonly byGroup: ReadonlyMap<number, Suspect[]>
  /** What was found for each name so far: who watches asks more often than the table changes. */
  readonly claimed: Map<string, readonly Claim[]>
}

const suspectsOf = new WeakMap<readonly ProcessFacts[], Suspects>()

function suspectsAmong(
  processes: readonly ProcessFacts[],
  commandOf: (pid: number) => string | null,
): Suspects {
  const known = suspectsOf.get(processes)
  if (known) return known
  const byPid = new Map(processes.map(facts => [facts.pid, facts]))
  const byName = new Map<string, Suspect[]>()
  const byGroup = new Map<number, Suspect[]>()
  const add = <K>(to: Map<K, Suspect[]>, key: K, suspect: Suspect): void =>
    void to.set(key, [...(to.get(key) ?? []), suspect])
  for (const facts of processes) {
    const suspect = {facts, told: toldName(facts, byPid)}
    if (suspect.told !== null) add(byName, suspect.told, suspect)
    for (const group of facts.groupIds) add(byGroup, group, suspect)
    // Node's title depends on its version.
    const flag = /node|MainThread/i.test(facts.title) ? segmentFlag(commandOf(facts.pid)) : null
    if (flag !== null) add(byName, sanitizeName(flag), suspect)
  }
  const suspects = {byName, byGroup, claimed: new Map<string, readonly Claim[]>()}
  suspectsOf.set(processes, suspects)
  return suspects
}

/** A title written by setproctitle overwrites /proc/PID/environ, so an engine's core is asked through its parents. */
function toldName(facts: ProcessFacts, byPid: ReadonlyMap<number, ProcessFacts>): string | null {
  if (facts.segmentName !== null || !isCoreTitle(facts.title)) return facts.segmentName
  let ancestor = byPid.get(facts.parentPid)
  for (let depth = 0; ancestor && depth < DEEPEST_ANCESTOR; depth++) {
    if (ancestor.segmentName !== null) return ancestor.segmentName
    ancestor = byPid.get(ancestor.parentPid)
  }
  return null
}
