import type {Clock} from '../foundation/index.js'
import {claimsOn} from './claims.js'
import {isRunning} from './creator.js'
import type {ProbeSightings, Sightings} from './liveness.js'
import {commandLine, readProcessTable, type ProcessTable} from './process-table.js'
import {groupInName} from './segment-name.js'
import type {SegmentLook} from './segment-look.js'

/**
 * The process table as it was at most `maxAgeMs` ago: for many segments at once, and for those who look again and again. What
 * it tells of a process may be `factsAgeMs` old; that one came or went is never older than `maxAgeMs`.
 */
export type ProcessView = (maxAgeMs: number, factsAgeMs: number) => ProcessTable

export function createProcessView(clock: Clock): ProcessView {
  let [table, readNs, factsReadNs]: [ProcessTable | null, number, number] = [null, 0, 0]
  return (maxAgeMs, factsAgeMs) => {
    const nowNs = clock.nowNs()
    if (table !== null && nowNs - readNs <= maxAgeMs * 1e6) return table
    readNs = nowNs
    if (table !== null && nowNs - factsReadNs <= factsAgeMs * 1e6)
      return (table = readProcessTable('/proc', table))
    factsReadNs = nowNs
    return (table = readProcessTable())
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
  const own = process.geteuid?.() ?? 0
  return {
    record,
    otherUser: own === 0 || own === userId ? null : userId,
    creator: creator && {pid: creator.pid, command: commandLine(creator.pid), isRunning: creatorRuns},
    claims: claimsOn(name, table.processes, table.commandOf, process.pid),
    groupId: groupInName(name),
    isWholeMachine: table.isWholeMachine,
    probe,
  }
}
