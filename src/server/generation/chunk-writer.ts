import type {Usage} from '../../lib/openai/index.js'
import type {Choice, ChoicePiece} from './choice.js'

/**
 * Writes the events of one stream as text. Everything that repeats is encoded once per stream or per choice, because this
 * runs for every token of every client.
 */
export interface ChunkWriter {
  /** Events before the first token of any choice. */
  opening(): string
  /**
   * @param usage running totals for `continuous_usage_stats`, else null
   * @param isTerminal the last event with a choice, and no usage event follows
   */
  piece(choice: Choice, piece: ChoicePiece, usage: Usage | null, isTerminal: boolean): string
  /** The event without choices that carries the totals. */
  usage(usage: Usage): string
}

/** An event of a stream. */
export function event(json: string): string {
  return `data: ${json}\n\n`
}
