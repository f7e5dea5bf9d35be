export type Policy = 'least-loaded' | 'prefix' | 'session' | 'weighted'

/** An engine that may be chosen, at one moment. */
export interface Candidate {
  readonly url: string
  readonly weight: number
  /** Requests it has: ours in flight, and those of others that it counted last. */
  readonly load: number
  /** Share of its KV cache in use, 0–1; null when it does not say. */
  readonly kvUsage: number | null
  /** Requests it was sent lately, those of a minute ago counting half. */
  readonly recent: number
  /** Blocks of this request that it has probably cached. */
  readonly matched: number
  /** Credit of smooth weighted round robin. */
  readonly credit: number
}

/** Which engine, and why. */
export interface Choice {
  readonly url: string
  readonly reason:
    | 'only'
    | 'least-loaded'
    | 'weighted'
    | 'prefix'
    | 'prefix-overloaded'
    | 'no-prefix'
    | 'session'
    | 'session-overloaded'
    | 'no-session'
    /** a gateway named it */
    | 'destination'
}

/** Affinity gives way where an engine has this much more than the mean, and this many requests on top. */
const LOAD_SHARE = 1.25
const LOAD_SLACK = 4
/** Of requests sent lately: below the 1.25 that is promised, for what is still on its way. */
const RECENT_SHARE = 1.15
const RECENT_SLACK = 2

/**
 * Pure: an engine for a request.
 *
 * @param candidates at least one, in the order of the configuration
 * @param session what requests that belong together have in common; null where this one says nothing
 */
export function chooseReplica(
  policy: Policy,
  candidates: readonly Candidate[],
  session: string | null,
): Choice {
  const [first] = candidates
  if (candidates.length === 1) return {url: first!.url, reason: 'only'}
  switch (policy) {
    case 'least-loaded':
      return {url: leastLoaded(candidates).url, reason: 'least-loaded'}
    case 'weighted':
      return {url: best(candidates, ({credit, weight}) => -(credit + weight)).url, reason: 'weighted'}
    case 'prefix':
      return byPrefix(candidates)
    case 'session':
      return bySession(candidates, session)
  }
}

/** Load by weight first, then the emptier KV cache, then who was asked less lately. */
function leastLoaded(candidates: readonly Candidate[]): Candidate {
  return best(
    candidates,
    ({load, weight}) => load / weight,
    ({kvUsage}) => kvUsage ?? 0,
    ({recent, weight}) => recent / weight,
  )
}

function byPrefix(candidates: readonly Candidate[]): Choice {
  const [hasRoom, hasHadFew] = [loadTest(candidates), recentTest(candidates)]
  const isFree = (candidate: Candidate): boolean => hasRoom(candidate) && hasHadFew(candidate)
  const longest = Math.max(...candidates.map(({matched}) => matched))
  const leastRecent = (some: readonly Candidate[]): Candidate =>
    best(
      some,
      ({recent, weight}) => recent / weight,
      ({load, weight}) => load / weight,
    )
  const free = candidates.filter(isFree)
  if (longest === 0) return {url: leastRecent(free.length > 0 ? free : candidates).url, reason: 'no-prefix'}
  const matching = candidates.filter(({matched}) => matched === longest)
  const wanted = matching.filter(isFree)
  if (wanted.length > 0) return {url: leastRecent(wanted).url, reason: 'prefix'}
  return {url: leastRecent(free.length > 0 ? free : candidates).url, reason: 'prefix-overloaded'}
}

/** Rendezvous hashing: an engine that comes or goes moves only its own sessions. */
function bySession(candidates: readonly Candidate[], session: string | null): Choice {
  if (session === null) return {url: leastLoaded(candidates).url, reason: 'no-session'}
  const isFree = loadTest(candidates)
  const ranked = [...candidates].sort((a, b) => rank(b, session) - rank(a, session))
  const chosen = ranked.find(isFree) ?? ranked[0]!
  return {url: chosen.url, reason: chosen === ranked[0] ? 'session' : 'session-overloaded'}
}

/** Whether an engine has few enough requests, for its weight, to be given one for another reason than its load. */
function loadTest(candidates: readonly Candidate[]): (candidate: Candidate) => boolean {
  const weights = sum(candidates, ({weight}) => weight)
  const loads = sum(candidates, ({load}) => load)
  return ({weight, load}) => load <= loads * (weight / weights) * LOAD_SHARE + LOAD_SLACK
}

/** The same of what it was sent lately: prefixes that many requests share would draw them all to one engine. */
function recentTest(candidates: readonly Candidate[]): (candidate: Candidate) => boolean {
  const weights = sum(candidates, ({weight}) => weight)
  const recents = sum(candidates, ({recent}) => recent) + 1
  return ({weight, recent}) => recent <= recents * (weight / weights) * RECENT_SHARE + RECENT_SLACK
}

function rank({url, weight}: Candidate, session: string): number {
  const share = (hashOf(`${session}\n${url}`) + 1) / 2 ** 32
  return -weight / Math.log(share)
}

/** FNV-1a with a final mix. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad)
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97)
  // Never 2^32 − 1, whose logarithm would be 0.
  return ((hash ^ (hash >>> 15)) >>> 0) % (2 ** 32 - 1)
}

function sum(candidates: readonly Candidate[], figure: (candidate: Candidate) => number): number {
  return candidates.reduce((total, candidate) => total + figure(candidate), 0)
}

/** The one with the lowest figure; the next figure decides between equals, at last the order. */
function best(candidates: readonly Candidate[], ...figures: ((candidate: Candidate) => number)[]): Candidate {
  return candidates.reduce((least, candidate) => {
    for (const figure of figures) {
      const difference = figure(candidate) - figure(least)
      if (difference !== 0) return difference < 0 ? candidate : least
    }
    return least
  })
}
