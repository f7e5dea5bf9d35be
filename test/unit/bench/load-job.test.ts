import {expect} from 'chai'
import {TRANSPORTS} from '../../../src/lib/bench/index.js'
import type {Outcome} from '../../../src/lib/runs/index.js'
import {benchOptions, loadJob, runJob} from '../../support/load-job.js'
import {startTruthServer} from '../../support/truth.js'
import type {TruthMode} from '../../support/truth-server.js'

/** What each way of answering has to be called. */
const CLASSES: readonly (readonly [TruthMode, Outcome])[] = [
  ['ok', 'ok'],
  ['role_first', 'ok'],
  ['noise', 'ok'],
  ['several_tokens', 'ok'],
  ['reasoning', 'ok'],
  ['tool_call', 'ok'],
  ['single_token', 'ok'],
  ['hidden_text', 'ok'],
  ['one_write', 'ok'],
  ['many_writes', 'ok'],
  ['no_usage', 'ok'],
  ['close_delimited', 'ok'],
  ['http_500', 'http_5xx'],
  ['http_429', 'http_429'],
  ['http_404', 'http_4xx'],
  ['redirect', 'invalid_response'],
  ['cut', 'truncated'],
  ['reset', 'reset'],
  ['silent_close', 'reset'],
  ['stall', 'timeout_idle'],
  ['mute', 'timeout_first_token'],
  ['garbage', 'invalid_response'],
  ['bad_event', 'invalid_response'],
  ['error_event', 'stream_error'],
  ['empty_stream', 'empty'],
]

/** Node says goodbye (FIN) before it resets: who reads in between sees a cut. */
const AS_IT_COMES: Partial<Record<TruthMode, readonly Outcome[]>> = {reset: ['reset', 'truncated']}
/** undici has one word for a cut line, and its idle limit is not kept to the millisecond. */
const AS_UNDICI_SEES: Partial<Record<TruthMode, readonly Outcome[]>> = {
  cut: ['reset', 'truncated'],
  reset: ['reset'],
  garbage: ['invalid_response'],
}

for (const transport of TRANSPORTS) {
  describe(`a load job over ${transport}`, () => {
    it('puts every way of answering in its class, with the tokens that the server counted', async () => {
      const server = await startTruthServer({modes: CLASSES.map(([mode]) => mode), ttftMs: 30, gapMs: 2})
      const requests = CLASSES.length * 3
      const limits = {connectMs: 2000, firstTokenMs: 400, idleMs: 200, totalMs: 5000}
      const options = benchOptions({requests, concurrency: 8, limits})
      // The mute answer sends no byte either: only without an idle limit is it the first token that is late.
      const job = loadJob(server.port, {...options, limits: {...limits, idleMs: 600}})
      const {records} = await runJob({...job, transport})
      const truth = new Map((await server.stop()).map(entry => [entry.requestId, entry]))
      expect(records).to.have.length(requests)
      for (const record of records) {
        const entry = truth.get(record.requestId)!
        const [, outcome] = CLASSES.find(([mode]) => mode === entry.mode)!
        const allowed = (transport === 'undici' ? AS_UNDICI_SEES : AS_IT_COMES)[entry.mode] ?? [outcome]
        expect(allowed, `${entry.mode}: ${record.error}`).to.include(record.outcome)
        if (outcome !== 'ok') continue
        expect(record.completionTokens, entry.mode).to.equal(entry.tokens)
        expect(record.chunkCount, entry.mode).to.equal(entry.tokenMs.length)
        expect(record.gapsUs, entry.mode).to.have.length(entry.tokenMs.length - 1)
      }
    })
  })
}
