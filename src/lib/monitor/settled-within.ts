/**
 * Waits for `work`, but no longer than `patienceMs`; its failure is not this one's. One timer and one listener: every look waits
 * so, and a sleep with a signal of its own was a good part of what a look cost.
 *
 * @throws the signal's reason when aborted
 */
export async function settledWithin(
  work: Promise<unknown>,
  patienceMs: number,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted()
  await new Promise<void>(resolve => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, patienceMs)
    signal.addEventListener('abort', end)
    work.then(end, end)
  })
  signal.throwIfAborted()
}
