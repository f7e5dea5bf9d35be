import {chooseReplica, type Candidate, type Choice, type Policy} from './choose-replica.js'
import {Circuit, type CircuitState} from './circuit.js'
import {PrefixIndex} from './prefix.js'

const CIRCUIT = {failures: 3, openMs: 1000, longestOpenMs: 30_000}
const HALF_LIFE_MS = 60_000
/** Some four million tokens: more than the KV cache of one engine holds. */
const MAX_PREFIX_BLOCKS = 65_536

/** What an engine said of itself. */
export interface Figures {
  readonly running: number | null
  readonly waiting: number | null
  readonly kvUsage: number | null
}

/** One engine at one moment. */
export interface ReplicaLook {
  readonly url: string
  readonly inFlight: number
  readonly load: number
  readonly kvUsage: number | null
  readonly circuit: CircuitState
  /** By the last active check; null before the first. */
  readonly isHealthy: boolean | null
  readonly isSleeping: boolean
}

/** A choice, and what it was made from. */
export interface Decision extends Choice {
  readonly policy: Policy
  readonly candidates: readonly Candidate[]
}

class Replica {
  readonly url: string
  weight: number
  inFlight = 0
  foreign = 0
  kvUsage: number | null = null
  isHealthy: boolean | null = null
  isSleeping = false
  credit = 0
  readonly circuit = new Circuit(CIRCUIT)
  readonly prefixes = new PrefixIndex(MAX_PREFIX_BLOCKS)
  #recent = 0
  #recentAtMs = 0

  constructor(url: string, weight: number) {
    this.url = url
    this.weight = weight
  }

  recent(nowMs: number): number {
    return this.#recent * 2 ** (-(nowMs - this.#recentAtMs) / HALF_LIFE_MS)
  }

  sent(nowMs: number): void {
    this.#recent = this.recent(nowMs) + 1
    this.#recentAtMs = nowMs
  }

  candidate(hashes: readonly number[], nowMs: number): Candidate {
    return {
      url: this.url,
      weight: this.weight,
      kvUsage: this.kvUsage,
      credit: this.credit,
      load: this.inFlight + this.foreign,
      recent: this.recent(nowMs),
      matched: this.prefixes.match(hashes),
    }
  }
}

/** The engines of one model: which may be asked, which is asked, what became of it. */
export class ReplicaSet {
  #policy: Policy
  #replicas: readonly Replica[]

  constructor(policy: Policy, replicas: readonly {readonly url: string; readonly weight: number}[]) {
    this.#policy = policy
    this.#replicas = replicas.map(({url, weight}) => new Replica(url, weight))
  }

  /** A new configuration: engines that stay keep what is known of them. */
  configure(policy: Policy, replicas: readonly {readonly url: string; readonly weight: number}[]): void {
    this.#policy = policy
    this.#replicas = replicas.map(({url, weight}) => {
      const known = this.#find(url)
      if (known) known.weight = weight
      return known ?? new Replica(url, weight)
    })
  }

  /** Whether a request's prompt matters for its way. */
  get readsPrompts(): boolean {
    return this.#policy === 'prefix' && this.#replicas.length > 1
  }

  /** Whether the figures of its engines matter. */
  get readsFigures(): boolean {
    return this.#policy !== 'weighted' && this.#replicas.length > 1
  }

  looks(nowMs: number): ReplicaLook[] {
    return this.#replicas.map(({url, inFlight, foreign, kvUsage, circuit, isHealthy, isSleeping}) => ({
      ...{url, inFlight, kvUsage, isHealthy, isSleeping},
      load: inFlight + foreign,
      circuit: circuit.state(nowMs),
    }))
  }

  /**
   * An engine for a request, which counts as sent to it.
   *
   * @param hashes of its prompt, where `readsPrompts`
   * @param tried engines that failed this request already
   * @param destinations where a gateway has chosen: these alone, the first that may be asked; empty for any
   * @returns null where none may be asked at this moment
   */
  choose(
    hashes: readonly number[],
    session: string | null,
    tried: ReadonlySet<string>,
    nowMs: number,
    destinations: readonly string[] = [],
  ): Decision | null {
    const untried = this.#replicas.filter(
      ({url, circuit, isSleeping}) =>
        !tried.has(url) &&
        circuit.mayTry(nowMs) &&
        !isSleeping &&
        (destinations.length === 0 || destinations.includes(url)),
    )
    const healthy = untried.filter(({isHealthy}) => isHealthy !== false)
    // Where all look ill the check may be at fault: a request finds out.
    const usable = healthy.length > 0 ? healthy : untried
    if (usable.length === 0) return null
    const candidates = usable.map(replica => replica.candidate(hashes, nowMs))
    const named = destinations.find(url => candidates.some(candidate => candidate.url === url))
    const choice: Choice =
      named === undefined
        ? chooseReplica(this.#policy, candidates, session)
        : {url: named, reason: 'destination'}
    const chosen = this.#find(choice.url)!
    if (this.#policy === 'weighted') this.#pay(usable, chosen)
    chosen.circuit.tried(nowMs)
    chosen.inFlight++
    chosen.sent(nowMs)
    chosen.prefixes.add(hashes)
    return {...choice, policy: this.#policy, candidates}
  }

  /** A request is over. `failed` speaks against the engine, `cancelled` says nothing. */
  ended(url: string, outcome: 'succeeded' | 'failed' | 'cancelled', nowMs: number): void {
    const replica = this.#find(url)
    if (!replica) return
    replica.inFlight--
    if (outcome === 'succeeded') replica.circuit.succeeded()
    else if (outcome === 'cancelled') replica.circuit.abandoned()
    else replica.circuit.failed(nowMs)
  }

  /** An active check came back. A healthy answer also closes the circuit: the engine is there again. */
  probed(url: string, isHealthy: boolean): void {
    const replica = this.#find(url)
    if (!replica) return
    if (isHealthy && replica.isHealthy === false) replica.circuit.succeeded()
    // What an engine had cached did not survive it.
    if (!isHealthy && replica.isHealthy !== false) replica.prefixes.clear()
    replica.isHealthy = isHealthy
  }

  /** @param sent how many of ours it had when the page was asked for */
  measured(url: string, {running, waiting, kvUsage}: Figures, sent: number): void {
    const replica = this.#find(url)
    if (!replica) return
    replica.kvUsage = kvUsage
    replica.foreign = Math.max(0, (running ?? 0) + (waiting ?? 0) - sent)
  }

  slept(url: string, isSleeping: boolean): void {
    const replica = this.#find(url)
    if (!replica) return
    if (isSleeping && !replica.isSleeping) replica.prefixes.clear()
    replica.isSleeping = isSleeping
  }

  /** Smooth weighted round robin. @see nginx/nginx:src/http/ngx_http_upstream_round_robin.c */
  #pay(usable: readonly Replica[], chosen: Replica): void {
    for (const replica of usable) replica.credit += replica.weight
    chosen.credit -= usable.reduce((total, {weight}) => total + weight, 0)
  }

  #find(url: string): Replica | undefined {
    return this.#replicas.find(replica => replica.url === url)
  }
}
