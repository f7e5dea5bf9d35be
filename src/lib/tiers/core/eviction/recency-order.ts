import type {EvictionPolicy} from './eviction-policy.js'

interface Link {
  readonly key: string
  older: Link | null
  newer: Link | null
}

/** Keys in order of arrival, or of their last use: a list that is walked from either end. */
export class RecencyOrder implements EvictionPolicy {
  readonly #movesOnHit: boolean
  readonly #evictsNewest: boolean
  readonly #links = new Map<string, Link>()
  #oldest: Link | null = null
  #newest: Link | null = null

  constructor({movesOnHit, evictsNewest}: {movesOnHit: boolean; evictsNewest: boolean}) {
    this.#movesOnHit = movesOnHit
    this.#evictsNewest = evictsNewest
  }

  added(key: string): void {
    if (this.#links.has(key)) return
    const link: Link = {key, older: this.#newest, newer: null}
    this.#links.set(key, link)
    this.#append(link)
  }

  hit(key: string): void {
    const link = this.#movesOnHit ? this.#links.get(key) : undefined
    if (link === undefined || link === this.#newest) return
    this.#detach(link)
    this.#append(link)
  }

  removed(key: string): void {
    const link = this.#links.get(key)
    if (link === undefined) return
    this.#links.delete(key)
    this.#detach(link)
  }

  candidate(mayEvict: (key: string) => boolean): string | null {
    let link = this.#evictsNewest ? this.#newest : this.#oldest
    while (link !== null && !mayEvict(link.key)) link = this.#evictsNewest ? link.older : link.newer
    return link?.key ?? null
  }

  #append(link: Link): void {
    link.older = this.#newest
    link.newer = null
    if (this.#newest === null) this.#oldest = link
    else this.#newest.newer = link
    this.#newest = link
  }

  #detach({older, newer}: Link): void {
    if (older === null) this.#oldest = newer
    else older.newer = newer
    if (newer === null) this.#newest = older
    else newer.older = older
  }
}
