/**
 * Mocha's parallel workers send a failed assertion as JSON, and one that compares bigints would end the worker with
 * all its results.
 */
Object.defineProperty(BigInt.prototype, 'toJSON', {
  configurable: true,
  value(this: bigint): string {
    return `${this}n`
  },
})
