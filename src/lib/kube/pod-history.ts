import type {PodRecord} from '../runs/index.js'
import type {PodObject} from './readiness.js'

interface Known {
  pod: PodObject
  readonly ready: {from: string; to: string | null}[]
  finishedAt: string | null
}

/** What became of the pods of a service, gathered from one picture of them after the other. */
export class PodHistory {
  readonly #known = new Map<string, Known>()
  #hasSeen = false

  /**
   * @param pods all there are
   * @param atMs when they were seen, Unix ms of this machine. What changes while we watch has this time: a cluster tells whole
   * seconds, by a clock of its own.
   */
  see(pods: readonly PodObject[], atMs: number): void {
    const now = new Date(atMs).toISOString()
    const names = new Set(pods.map(({metadata}) => metadata.name))
    for (const pod of pods) {
      const {name} = pod.metadata
      const known = this.#known.get(name) ?? {pod, ready: [], finishedAt: null}
      this.#known.set(name, known)
      known.pod = pod
      this.#note(known, now)
    }
    for (const [name, known] of this.#known) {
      if (names.has(name)) continue
      known.finishedAt ??= now
      close(known, known.finishedAt)
    }
    this.#hasSeen = true
  }

  #note(known: Known, now: string): void {
    const condition = known.pod.status?.conditions?.find(({type}) => type === 'Ready')
    const isReady = condition?.status === 'True'
    const open = known.ready.at(-1)?.to === null
    // Before the first picture only the cluster knows since when.
    const at = this.#hasSeen ? now : (condition?.lastTransitionTime ?? now)
    if (isReady && !open) known.ready.push({from: isoOf(at), to: null})
    if (!isReady) close(known, now)
  }

  /** In order of their creation. */
  records(): PodRecord[] {
    return [...this.#known.values()]
      .map(known => recordOf(known))
      .sort((one, other) => ((one.created_at ?? '') < (other.created_at ?? '') ? -1 : 1))
  }
}

function close({ready}: Known, at: string): void {
  const last = ready.at(-1)
  if (last?.to === null) last.to = at
}

function recordOf({pod: {metadata, spec = {}, status = {}}, ready, finishedAt}: Known): PodRecord {
  const states = (status.containerStatuses ?? []).map(({state}) => state ?? {})
  const starts = states.flatMap(({running, terminated}) => running?.startedAt ?? terminated?.startedAt ?? [])
  const ends = states.map(({terminated}) => terminated?.finishedAt)
  const hasEnded = ends.length > 0 && ends.every(end => end !== undefined)
  return {
    name: metadata.name,
    node: spec.nodeName ?? null,
    created_at: isoOrNull(metadata.creationTimestamp),
    started_at: isoOrNull(starts.sort()[0] ?? status.startTime),
    finished_at: hasEnded ? isoOrNull(ends.sort().at(-1)) : finishedAt,
    ready: ready.map(({from, to}) => ({from, to})),
    containers: (spec.containers ?? []).map(({name, resources}) => ({
      name,
      requests: textsOf(resources?.requests),
      limits: textsOf(resources?.limits),
    })),
  }
}

function textsOf(quantities: Readonly<Record<string, string | number>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(quantities).map(([name, amount]) => [name, String(amount)]))
}

function isoOf(text: string): string {
  return new Date(text).toISOString()
}

function isoOrNull(text: string | undefined): string | null {
  return text === undefined ? null : isoOf(text)
}
