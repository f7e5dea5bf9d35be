export interface StopPiece {
  /** Text that may be shown now. */
  readonly text: string
  /** The stop string found; nothing may be pushed after it. */
  readonly stop: string | null
}

/** Looks for stop strings in a growing text, across pieces. */
export interface StopScanner {
  /** @param isArmed false while stops must not yet count (before `min_tokens`); that text is never searched again */
  push(piece: string, isArmed: boolean): StopPiece
  /** What was held back when the text ended without a stop string. */
  rest(): string
}

/**
 * Holds back the last `max(length) − 1` characters, because they may be the beginning of a stop string; with
 * `includeStop` nothing needs to be cut and nothing is held back. The earliest match wins, the first listed on a tie.
 *
 * @param stops non-empty strings
 * @see vllm-project/vllm:vllm/v1/engine/detokenizer.py — check_stop_strings, stop_buffer_length
 */
export function createStopScanner(stops: readonly string[], includeStop: boolean): StopScanner {
  if (stops.length === 0) return {push: piece => ({text: piece, stop: null}), rest: () => ''}
  const holdBack = Math.max(...stops.map(stop => stop.length)) - 1
  let tail = ''
  let shown = 0
  let searchable = 0
  return {
    push(piece, isArmed) {
      const text = tail + piece
      if (!isArmed) searchable = text.length
      let at = -1
      let stop: string | null = null
      for (const candidate of isArmed ? stops : []) {
        const found = text.indexOf(candidate, searchable)
        if (found >= 0 && (at < 0 || found < at)) [at, stop] = [found, candidate]
      }
      if (stop !== null) {
        const end = includeStop ? at + stop.length : at
        return {text: text.slice(shown, Math.max(shown, end)), stop}
      }
      let safe = Math.max(0, text.length - holdBack)
      if (isHighSurrogate(text.charCodeAt(safe - 1))) safe--
      const until = includeStop ? text.length : Math.max(shown, safe)
      const out = text.slice(shown, until)
      // Only the last `holdBack` characters can still become part of a match.
      tail = text.slice(safe)
      shown = until - safe
      searchable = Math.max(0, searchable - safe)
      return {text: out, stop: null}
    },
    rest: () => tail.slice(shown),
  }
}

/** Half of a character outside the basic plane: clients that read each piece as UTF-8 would lose it. */
function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff
}
