import type {RequestRecord} from '../../src/lib/runs/index.js'

/** A successful record: sent at 10 ms, tokens at 110, 130 and 160 ms, done at 165 ms; change what a test is about. */
export function requestRecord(change: Partial<RequestRecord> = {}): RequestRecord {
  return {
    id: 1,
    requestId: 'run-1',
    traceId: '0af7651916cd43dd8448eb211c80319c',
    phase: 'measure',
    outcome: 'ok',
    status: 200,
    error: '',
    scheduledAtMs: 8,
    sentAtMs: 10,
    headAtMs: 50,
    firstByteAtMs: 60,
    roleAtMs: 61,
    firstTokenAtMs: 110,
    lastTokenAtMs: 160,
    doneAtMs: 165,
    connectMs: null,
    gapsUs: Uint32Array.of(20_000, 30_000),
    chunkCount: 3,
    promptTokens: 7,
    completionTokens: 3,
    cachedTokens: null,
    tokensSource: 'usage',
    finishReason: 'length',
    bodyBytes: 512,
    ...change,
  }
}
