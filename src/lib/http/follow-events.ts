import {NetworkError, type Clock} from '../foundation/index.js'

export interface FollowOptions {
  /** Opens the stream anew. */
  readonly open: (signal: AbortSignal) => AsyncIterable<string>
  /** @returns false when it has seen enough */
  readonly show: (data: string) => boolean
  /** Told before each wait. */
  readonly note: (line: string) => void
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** The waits before each new try: after the last one fails, following has failed. */
const WAITS_MS = [1000, 2000, 4000, 8000, 16_000]

/**
 * Shows the events of a stream that is opened again when it breaks or ends; an event that arrives makes all tries good again.
 *
 * @throws NetworkError of the last try, or at once one that another try would not change; the signal's reason when aborted
 */
export async function followEvents({open, show, note, clock, signal}: FollowOptions): Promise<void> {
  for (let tries = 0; ;) {
    let why: NetworkError
    try {
      for await (const data of open(signal)) {
        tries = 0
        if (!show(data)) return
      }
      why = new NetworkError('STREAM_ENDED', 'the server ended the stream')
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof NetworkError) || error.code === 'ENDPOINT_REFUSED') throw error
      why = error
    }
    const waitMs = WAITS_MS[tries++]
    if (waitMs === undefined) throw why
    note(`${why.message}; trying again in ${waitMs / 1000} s (${tries} of ${WAITS_MS.length})`)
    await clock.sleep(waitMs, signal)
  }
}
