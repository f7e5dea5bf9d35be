import type {Clock} from '../foundation/index.js'

/** Waits for `work`, but no longer than `patienceMs`; its failure is not this one's. @throws the signal's reason when aborted */
export async function settledWithin(
  work: Promise<unknown>,
  patienceMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const enough = new AbortController()
  const settled = work.then(
    () => enough.abort(),
    () => enough.abort(),
  )
  if (patienceMs > 0) {
    const sleep = clock.sleep(patienceMs, AbortSignal.any([signal, enough.signal])).catch(() => undefined)
    await Promise.race([settled, sleep])
  }
  signal.throwIfAborted()
}
