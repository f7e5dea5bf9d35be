import type {RequestRecord, RunWarning} from '../runs/index.js'
import type {BenchPlan} from './bench-plan.js'

/** Collects, while a run lasts, where answers were not what was asked for. */
export interface AnswerDoubts {
  take(record: RequestRecord): void
  warnings(): RunWarning[]
}

/** @see ai-dynamo/aiperf:docs/metrics-reference.md — an output length is missed by 5 %, and by 50 tokens whatever was asked */
const [LENGTH_SHARE, LENGTH_TOKENS] = [0.05, 50]

export function watchAnswers(plan: BenchPlan): AnswerDoubts {
  const {request, workload, warmupRequests} = plan
  const {extraBody} = request
  const isForced = request.ignoresEos && extraBody['tools'] === undefined && (extraBody['n'] ?? 1) === 1
  let [forced, missed, perToken, perChunk] = [0, 0, 0, 0]
  return {
    take({id, outcome, tokensSource, completionTokens, chunkCount, chunkTokens}) {
      if (outcome !== 'ok' || id <= warmupRequests) return
      const item = workload?.items[id - warmupRequests - 1]
      if (isForced && tokensSource === 'usage' && item?.extraBody == null) {
        const wanted = item?.maxTokens ?? request.maxTokens
        forced++
        if (Math.abs(completionTokens! - wanted) > Math.min(LENGTH_SHARE * wanted, LENGTH_TOKENS)) missed++
      }
      if (!request.isItlExact || chunkCount < 2) return
      if (chunkTokens === null) perChunk++
      else perToken++
    },
    warnings() {
      const all: readonly (readonly [boolean, string, string])[] = [
        [
          missed > 0,
          'osl_mismatch',
          `${missed} of ${forced} answers are not as long as asked (--ignore-eos); the server does not force lengths`,
        ],
        [
          perChunk > 0,
          'exact_itl_unavailable',
          `the server counts the tokens of each chunk in ${perToken} of ${perToken + perChunk} answers (--exact-itl); itl is estimated in the others`,
        ],
      ]
      return all.filter(([applies]) => applies).map(([, code, message]) => ({code, message}))
    },
  }
}
