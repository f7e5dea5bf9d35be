import type {EvictionPolicy} from './eviction-policy.js'

/** Keys used equally often, oldest first. */
interface Bucket {
  readonly uses: number
  readonly keys: Set<string>
  rarer: Bucket | null
  commoner: Bucket | null
}

/** Keys by how often they were used: the rarest go first, among them the one that has been so for longest. */
export class FrequencyOrder implements EvictionPolicy {
  readonly #buckets = new Map<string, Bucket>()
  #rarest: Bucket | null = null

  added(key: string): void {
    if (this.#buckets.has(key)) return
    if (this.#rarest?.uses !== 1)
      this.#insert({uses: 1, keys: new Set(), rarer: null, commoner: this.#rarest})
    this.#place(key, this.#rarest!)
  }

  hit(key: string): void {
    const bucket = this.#buckets.get(key)
    if (bucket === undefined) return
    const uses = bucket.uses + 1
    if (bucket.commoner?.uses !== uses)
      this.#insert({uses, keys: new Set(), rarer: bucket, commoner: bucket.commoner})
    this.#place(key, bucket.commoner!)
    this.#take(key, bucket)
  }

  removed(key: string): void {
    const bucket = this.#buckets.get(key)
    if (bucket === undefined) return
    this.#buckets.delete(key)
    this.#take(key, bucket)
  }

  candidate(mayEvict: (key: string) => boolean): string | null {
    for (let bucket = this.#rarest; bucket !== null; bucket = bucket.commoner)
      for (const key of bucket.keys) if (mayEvict(key)) return key
    return null
  }

  #place(key: string, bucket: Bucket): void {
    bucket.keys.add(key)
    this.#buckets.set(key, bucket)
  }

  #take(key: string, bucket: Bucket): void {
    bucket.keys.delete(key)
    if (bucket.keys.size > 0) return
    const {rarer, commoner} = bucket
    if (rarer === null) this.#rarest = commoner
    else rarer.commoner = commoner
    if (commoner !== null) commoner.rarer = rarer
  }

  #insert(bucket: Bucket): void {
    const {rarer, commoner} = bucket
    if (rarer === null) this.#rarest = bucket
    else rarer.commoner = bucket
    if (commoner !== null) commoner.rarer = bucket
  }
}
