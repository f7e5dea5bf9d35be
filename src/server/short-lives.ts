import {setFlagsFromString} from 'node:v8'

/**
 * Tells V8 that what a request brings dies with it, for the whole process.
 *
 * After a burst V8 concludes from the many requests in flight that such objects live long, and makes the next ones where only full
 * collections look. Each of them then keeps its request and answer, long over, until such a collection, which stops streams
 * for some 20 ms. And after a full collection V8 lets a small heap grow by a third or less before the next: the first seconds
 * of load after a rest bring several. Twice what lives is little here. See docs/adr/0027-requests-die-young.md.
 */
export function expectShortLives(): void {
  setFlagsFromString('--no-allocation-site-pretenuring')
  setFlagsFromString('--heap-growing-percent=100')
}
