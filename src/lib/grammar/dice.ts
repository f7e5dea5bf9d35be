import {mixBits} from '../foundation/index.js'

/** Decides by a digest: the same digest decides the same, and one digest decides any number of times. */
export class Dice {
  #word = 0

  load(digest: number): void {
    this.#word = digest
  }

  /** @param count at most 2⁵³ @returns an integer from 0 up to, not including, `count` */
  below(count: number): number {
    const word = this.#roll()
    return count <= 2 ** 32 ? word % count : (word * 2 ** 21 + (this.#roll() >>> 11)) % count
  }

  /** @param share 0 to 1 */
  isWithin(share: number): boolean {
    return this.#roll() < share * 2 ** 32
  }

  #roll(): number {
    this.#word = mixBits(this.#word + 0x9e3779b9)
    return this.#word >>> 0
  }
}
