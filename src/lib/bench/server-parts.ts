import {networkInterfaces} from 'node:os'
import type {EmbeddedEngine} from '../inference/index.js'
import {processFamilies, whoListens, type ProcessFamily} from '../processes/index.js'
import {lookAtSegments, type SegmentStore} from '../segments/index.js'

/** What of this machine belongs to the servers that are measured. */
export interface ServerParts {
  /** At least one of them runs here: this machine's GPUs may be its. */
  readonly isLocal: boolean
  /** Those who listen and their descendants; empty where they cannot be seen. */
  readonly pids: readonly number[]
  readonly segments: readonly string[]
}

/**
 * Finds the processes behind addresses of this machine, and the segments that they own. What cannot be seen is left out; a
 * server elsewhere has nothing here.
 */
export async function findServerParts(
  baseUrls: readonly string[],
  engine: EmbeddedEngine | null,
  segments: SegmentStore | null,
): Promise<ServerParts> {
  const ports = baseUrls.flatMap(localPort)
  if (engine === null && ports.length === 0) return {isLocal: false, pids: [], segments: []}
  const [listeners, families] = await Promise.all([whoListens(ports), processFamilies()])
  const pids = withDescendants(
    [...(engine ? [engine.pid] : []), ...listeners.flatMap(({pid}) => pid ?? [])],
    families,
  )
  return {isLocal: true, pids, segments: await segmentsOf(pids, engine, segments)}
}

async function segmentsOf(
  pids: readonly number[],
  engine: EmbeddedEngine | null,
  store: SegmentStore | null,
): Promise<string[]> {
  const own = engine?.segment ?? null
  if (store === null) return []
  if (own !== null) return [own]
  const {looks} = await lookAtSegments(store, []).catch(() => ({looks: []}))
  return looks.filter(({state}) => state.pid !== null && pids.includes(state.pid)).map(({name}) => name)
}

/** The port of an address of this machine; none of another's. */
function localPort(baseUrl: string): number[] {
  const {hostname, port, protocol} = new URL(baseUrl)
  const host = hostname.replaceAll(/[[\]]/g, '')
  const own = Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(({address}) => address))
  const isHere = host === 'localhost' || host.startsWith('127.') || own.includes(host)
  return isHere ? [port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)] : []
}

/** vLLM's engine cores and workers, which hold segments and GPU memory, descend from the server that listens. */
function withDescendants(pids: readonly number[], families: ReadonlyMap<number, ProcessFamily>): number[] {
  const found = [...new Set(pids)]
  // Grows while it is walked through: children of children come last.
  for (const ancestor of found) {
    for (const [pid, {parentPid}] of families)
      if (parentPid === ancestor && !found.includes(pid)) found.push(pid)
  }
  return found.filter(pid => pid !== process.pid)
}
