import type {Clock} from '../foundation/index.js'
import {claimsOn} from './claims.js'
import {isRunning} from './creator.js'
import type {ProbeSightings, Sightings} from './liveness.js'
import {commandLine, readProcessTable, type ProcessTable} from './process-table.js'
import {groupInName} from './segment-name.js'
import type {SegmentLook} from './segment-look.js'

/** How old a process table may be: who is there, and what each of them is. */
export interface TableAge {
  readonly tableMs: number
  readonly factsMs: number
}

/** The process table, no older than asked for: for many segments at once, and for those who look again and again. */
export type ProcessView = (atMost: TableAge) => ProcessTable

const OWN_USER = process.geteuid?.() ?? 0

export function createProcessView(clock: Clock): ProcessView {
  let [table, readNs, factsReadNs]: [ProcessTable | null, number, number] = [null, 0, 0]
  return ({tableMs, factsMs}) => {
    const nowNs = clock.nowNs()
    const hasFacts = table !== null && nowNs - factsReadNs <= factsMs * 1e6
    if (table !== null && hasFacts && nowNs - readNs <= tableMs * 1e6) return table
    if (!hasFacts) factsReadNs = nowNs
    readNs = nowNs
    return (table = readProcessTable('/proc', hasFacts ? table : null))
  }
}

/** What /proc and kvctl's memory show of a segment's engine. Touches neither the segment nor the engine. */
export function sightingsOf(
  {name, record, userId, creator}: SegmentLook,
  view: () => ProcessTable,
  probe: ProbeSightings | null,
): Sightings {
  const creatorRuns = creator === null ? null : isRunning(creator)
  // Our engine's own note settles it, and is a hundred times cheaper than a look at every process.
  const table = creatorRuns === true ? {processes: [], isWholeMachine: false, commandOf: commandLine} : view()
  return {
    record,
    otherUser: OWN_USER === 0 || OWN_USER === userId ? null : userId,
    creator: creator && {pid: creator.pid, command: commandLine(creator.pid), isRunning: creatorRuns},
    claims: claimsOn(name, table.processes, table.commandOf, process.pid),
    groupId: groupInName(name),
    isWholeMachine: table.isWholeMachine,
    probe,
  }
}
