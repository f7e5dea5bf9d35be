import {ApiError} from './api-error.js'

/** Counts requests being answered, refuses what exceeds the limit, and says when the last one has left. */
export interface RequestsInFlight {
  readonly requests: number
  /**
   * @returns called once when the request is over
   * @throws ApiError 503 while draining, or when `sequences` more would exceed the limit
   */
  enter(sequences: number): () => void
  /** Refuses everything from now on; resolves when nothing is left. */
  drain(): Promise<void>
  readonly isDraining: boolean
}

/** @param maxSequences waiting and running answers together; `n` answers count `n` */
export function createRequestsInFlight(maxSequences: number): RequestsInFlight {
  let requests = 0
  let sequences = 0
  let isDraining = false
  let drained: (() => void) | null = null
  return {
    get requests() {
      return requests
    },
    get isDraining() {
      return isDraining
    },
    enter(count) {
      if (isDraining) throw new ApiError(503, 'The server is shutting down.')
      if (sequences + count > maxSequences) {
        throw new ApiError(
          503,
          `The queue is full: ${sequences} answers in flight of at most ${maxSequences}.`,
        )
      }
      requests++
      sequences += count
      let isOver = false
      return () => {
        if (isOver) return
        isOver = true
        requests--
        sequences -= count
        if (requests === 0) drained?.()
      }
    },
    async drain() {
      isDraining = true
      if (requests > 0) await new Promise<void>(resolve => (drained = resolve))
    },
  }
}
