/**
 * Energy of GPUs that do not count it themselves: power over time, as a trapezoid between two looks. What happens between
 * looks is missed, so it is told as what it is.
 */
export class EnergyMeter {
  readonly #last = new Map<number, {readonly watts: number; readonly atMs: number; readonly joules: number}>()

  /**
   * @param index the GPU's
   * @returns joules since the first look; null at the first, when no time has passed
   */
  add(index: number, watts: number, atMs: number): number | null {
    const last = this.#last.get(index)
    const joules = last ? last.joules + ((last.watts + watts) / 2) * ((atMs - last.atMs) / 1000) : 0
    this.#last.set(index, {watts, atMs, joules})
    return last ? joules : null
  }
}
