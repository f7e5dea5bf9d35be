import {setImmediate as nextTurn} from 'node:timers/promises'
import type {RequestRecord, RunWarning} from '../runs/index.js'
import type {TokenCounter} from '../tokens/index.js'
import {partsOf} from './generated-text.js'

/** Counts answers with a tokenizer of ours, as their records come in. */
export interface AnswerCounter {
  /**
   * The records, with the tokens of their text where the server counted none. What it counted stays, and is held against ours.
   *
   * @param generated of each record, for `partsOf`
   */
  counted(
    records: readonly RequestRecord[],
    generated: readonly Uint8Array[],
  ): Promise<readonly RequestRecord[]>
  warnings(): RunWarning[]
}

/** The screen and the looks at the server go on while many answers are counted. */
const TURN_MS = 10

export function createAnswerCounter({choice, count}: TokenCounter): AnswerCounter {
  let [failed, compared, theirTokens, ourTokens] = [0, 0, 0, 0, 0]
  let reason = ''
  /** Each part by itself: no token reaches from the reasoning into the answer. */
  const tokensOf = (generated: Uint8Array): number | null => {
    try {
      return partsOf(generated).reduce((sum, part) => sum + count(part), 0)
    } catch (error) {
      failed++
      reason = error instanceof Error ? error.message.split('\n')[0]! : String(error)
      return null
    }
  }
  const countedOne = (record: RequestRecord, generated: Uint8Array): RequestRecord => {
    if (generated.length === 0) return record
    const tokens = tokensOf(generated)
    if (tokens === null) return record
    const {tokensSource, completionTokens, phase, outcome} = record
    if (tokensSource === 'usage' || tokensSource === 'token_ids') {
      if (phase === 'measure' && outcome === 'ok') {
        compared++
        theirTokens += completionTokens ?? 0
        ourTokens += tokens
      }
      return record
    }
    return {...withoutOtherCounts(record, tokens), completionTokens: tokens, tokensSource: 'tokenizer'}
  }
  return {
    async counted(records, generated) {
      const done: RequestRecord[] = []
      let turnMs = performance.now()
      for (const [place, record] of records.entries()) {
        done.push(countedOne(record, generated[place]!))
        if (performance.now() - turnMs < TURN_MS) continue
        await nextTurn()
        turnMs = performance.now()
      }
      return done
    },
    warnings() {
      const all: readonly (readonly [boolean, string, string])[] = [
        [
          compared > 0 && theirTokens !== ourTokens,
          'tokenizer_differs',
          `${compared} answers have ${theirTokens} tokens by the server and ${ourTokens} by ${choice.name} (${percent(ourTokens / theirTokens - 1)}); the server's count is used`,
        ],
        [
          failed > 0,
          'tokenizer_failed',
          `${failed} answers could not be counted with ${choice.name}: ${reason}`,
        ],
      ]
      return all.filter(([applies]) => applies).map(([, code, message]) => ({code, message}))
    },
  }
}

/** Tokens of single chunks that do not add up to those of the answer are not kept beside them. */
function withoutOtherCounts(record: RequestRecord, tokens: number): RequestRecord {
  const {chunkTokens} = record
  if (chunkTokens === null || chunkTokens.reduce((sum, one) => sum + one, 0) === tokens) return record
  return {...record, chunkTokens: null, firstChunkTokens: null}
}

function percent(ratio: number): string {
  return `${ratio < 0 ? '' : '+'}${(ratio * 100).toFixed(1)} %`
}
