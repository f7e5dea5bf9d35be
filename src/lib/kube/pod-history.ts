import type {PodRecord} from '../runs/index.js'
import type {PodObject} from './readiness.js'

interface Known {
  facts: Omit<PodRecord, 'ready'>
  /** When its first container ran; null before. */
  ranFrom: string | null
  readonly ready: {from: string; to: string | null}[]
}

/** What became of the pods of a service, gathered from one picture of them after the other. */
export class PodHistory {
  readonly #known = new Map<string, Known>()
  #hasSeen = false

  /** @param earlier what was gathered in earlier parts of a run */
  constructor(earlier: readonly PodRecord[] = []) {
    for (const {ready, ...facts} of earlier)
      this.#known.set(keyOf(facts.name, facts.created_at), {
        ...{facts, ranFrom: ready.length > 0 ? facts.started_at : null},
        ready: ready.map(one => ({...one})),
      })
  }

  /**
   * @param pods all there are
   * @param atMs when they were seen, Unix ms of this machine. What changes while we watch has this time: a cluster tells whole
   * seconds, by a clock of its own.
   */
  see(pods: readonly PodObject[], atMs: number): void {
    const now = new Date(atMs).toISOString()
    const there = new Set<string>()
    for (const pod of pods) {
      const facts = factsOf(pod)
      const key = keyOf(facts.name, facts.created_at)
      there.add(key)
      const known = this.#known.get(key) ?? {facts, ranFrom: null, ready: []}
      this.#known.set(key, known)
      // A container that is started again has a new start, and was held before.
      known.ranFrom ??= startOf(pod)
      known.facts = {...facts, started_at: known.ranFrom ?? facts.started_at}
      this.#note(known, pod, now)
    }
    for (const [key, known] of this.#known) {
      if (there.has(key)) continue
      known.facts.finished_at ??= now
      close(known, known.facts.finished_at)
    }
    this.#hasSeen = true
  }

  #note(known: Known, {status}: PodObject, now: string): void {
    const condition = status?.conditions?.find(({type}) => type === 'Ready')
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
      .map(({facts, ready}) => ({...facts, ready: ready.map(one => ({...one}))}))
      .sort((one, other) => ((one.created_at ?? '') < (other.created_at ?? '') ? -1 : 1))
  }

  /** Where they are or were. */
  nodes(): Set<string> {
    return new Set([...this.#known.values()].flatMap(({facts}) => facts.node ?? []))
  }
}

/** A pod of a set is made anew under its old name. */
function keyOf(name: string, createdAt: string | null): string {
  return `${name} ${createdAt}`
}

function close({ready}: Known, at: string): void {
  const last = ready.at(-1)
  if (last?.to === null) last.to = at
}

/** Of its first container that runs or ran. */
function startOf({status = {}}: PodObject): string | null {
  const states = (status.containerStatuses ?? []).map(({state}) => state ?? {})
  const starts = states.flatMap(({running, terminated}) => running?.startedAt ?? terminated?.startedAt ?? [])
  return isoOrNull(starts.sort()[0])
}

function factsOf(pod: PodObject): Omit<PodRecord, 'ready'> {
  const {metadata, spec = {}, status = {}} = pod
  const ends = (status.containerStatuses ?? []).map(({state}) => state?.terminated?.finishedAt)
  const hasEnded = ends.length > 0 && ends.every(end => end !== undefined)
  return {
    name: metadata.name,
    node: spec.nodeName ?? null,
    created_at: isoOrNull(metadata.creationTimestamp),
    started_at: startOf(pod) ?? isoOrNull(status.startTime),
    finished_at: hasEnded ? isoOrNull(ends.sort().at(-1)) : null,
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
