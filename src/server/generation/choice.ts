import type {FinishReason, GenerationEnd, TokenSink} from '../../lib/engine/index.js'
import {createStopScanner} from '../../lib/openai/index.js'
import type {Tokenizer} from '../../lib/tokens/index.js'
import type {GenerationPlan} from './plan.js'

export interface ChoiceFinish {
  readonly reason: FinishReason
  /** The stop string or stop token that ended it. */
  readonly stopReason: string | number | null
  /** For `error` only. */
  readonly message: string | null
}

/** What came since the last look: usually one token, more when the client was slow. */
export interface ChoicePiece {
  readonly text: string
  readonly tokenIds: readonly number[]
  readonly finish: ChoiceFinish | null
}

/** One answer in the making: tokens in, text out, stop strings watched. */
export interface Choice {
  readonly index: number
  readonly promptIndex: number
  readonly sink: TokenSink
  readonly generatedTokens: number
  /** Prompt tokens that were found in the prefix cache; known once the answer has ended in the engine. */
  readonly cachedTokens: number
  readonly isFinished: boolean
  /** @returns null when nothing is new */
  take(): ChoicePiece | null
}

/** What a choice tells the reply it belongs to; called on the engine's thread, so it must be quick. */
export interface ChoiceEvents {
  /** There is something to take. */
  changed(): void
  /** A stop string was found: the engine may forget this sequence. */
  stopped(): void
}

/**
 * Stop tokens and special tokens give no text; text stands still after a stop string, whatever the engine still sends.
 *
 * @param prefix an echo that the first piece begins with
 * @see vllm-project/vllm:vllm/v1/engine/detokenizer.py — stop strings are looked for only after `min_tokens`
 */
export function createChoice(
  index: number,
  promptIndex: number,
  plan: GenerationPlan,
  prefix: string,
  tokenizer: Tokenizer,
  events: ChoiceEvents,
): Choice {
  const decoder = tokenizer.createDecoder()
  const scanner = createStopScanner(plan.stops, plan.includeStop)
  const silent = plan.includeStop ? [] : plan.stopTokenIds
  let pendingText = prefix
  let pendingIds: number[] = []
  let finish: ChoiceFinish | null = null
  let isTaken = false
  let generatedTokens = 0
  let cachedTokens = 0

  const end = (reason: FinishReason, stopReason: string | number | null, message: string | null): void => {
    finish = {reason, stopReason, message}
    events.changed()
  }
  const sink: TokenSink = {
    tokens(ids) {
      if (finish) return
      for (const id of ids) {
        generatedTokens++
        pendingIds.push(id)
        const text = silent.includes(id) ? '' : decoder.push([id])
        const piece = scanner.push(text, generatedTokens > plan.minTokens)
        pendingText += piece.text
        if (piece.stop === null) continue
        end('stop', piece.stop, null)
        events.stopped()
        return
      }
      events.changed()
    },
    end(generation: GenerationEnd) {
      cachedTokens = generation.cachedTokens
      if (finish) return
      const last = scanner.push(decoder.end(), generatedTokens > plan.minTokens)
      pendingText += last.text + (last.stop === null ? scanner.rest() : '')
      end(generation.reason, generation.stopTokenId, generation.message)
    },
  }
  return {
    index,
    promptIndex,
    sink,
    get generatedTokens() {
      return generatedTokens
    },
    get cachedTokens() {
      return cachedTokens
    },
    get isFinished() {
      return finish !== null
    },
    take() {
      if (isTaken || (pendingIds.length === 0 && finish === null)) return null
      const piece = {text: pendingText, tokenIds: pendingIds, finish}
      pendingText = ''
      pendingIds = []
      isTaken = finish !== null
      return piece
    },
  }
}
