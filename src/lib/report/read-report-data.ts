import {packageVersion, ResourceError} from '../foundation/index.js'
import {
  metaSchema,
  readGaps,
  readMetaIfAny,
  readRequests,
  readResults,
  readTimeSeries,
  RequestCursor,
  type RequestTable,
  type RunDirectory,
  type RunMeta,
  type RunResults,
} from '../runs/index.js'
import {configurationPairs, environmentPairs, runFacts} from './facts-of-meta.js'
import {keyFigures, measureRows, metricRows, otherFigures, rawKeys} from './figures-of-results.js'
import {groupRows} from './group-rows.js'
import {readServerSamples, serverPairs} from './server-samples.js'
import type {FailureRow, MemorySample, ReportData, ReportRequest} from './report-data.js'

/**
 * Gathers what a report shows from a run directory: the figures from `results.json`, the charts from the raw files.
 *
 * @throws ResourceError `RUN_INCOMPLETE` when the run has no results yet
 * @throws ConfigurationError `RUN_UNREADABLE`
 */
export async function readReportData(run: RunDirectory): Promise<ReportData> {
  const results = await readResultsOrSayHow(run)
  // Other tools' runs may have no `meta.json`; then only the figures are known.
  const meta = (await readMetaIfAny(run)) ?? metaSchema.parse({})
  const table = await readRequests(run, meta.origin_epoch_ms, meta.parts)
  const measured = measuredRequests(table)
  return {
    runId: results.run_id,
    title: meta.model ?? results.metadata.service ?? run.runId,
    status: results.status,
    startedAt: meta.started_at ?? results.metadata.timestamp,
    toolVersion: packageVersion,
    facts: runFacts(meta, results, table.count - measured.rows.length),
    keyFigures: keyFigures(results),
    otherFigures: otherFigures(results),
    metrics: metricRows(results),
    measures: measureRows(results),
    groups: groupRows(results),
    failures: failureRows(table, measured),
    warnings: results.warnings,
    configuration: configurationPairs(meta),
    environment: environmentPairs(meta),
    rawKeys: rawKeys(results),
    requests: measured.requests,
    forEachGaps: async visit => {
      await readGaps(run, (id, gapsUs) => {
        const index = measured.indexOfId.get(id)
        if (index !== undefined) visit(index, gapsUs)
      })
    },
    memory: await memorySamples(run, meta, measured.startMs),
    server: await readServerSamples(run, measured.startMs),
    serverFigures: serverPairs(results),
  }
}

async function readResultsOrSayHow(run: RunDirectory): Promise<RunResults> {
  try {
    return await readResults(run)
  } catch (error) {
    if (!(error instanceof ResourceError)) throw error
    throw new ResourceError(error.code, error.message, {
      cause: error,
      suggestions: [`kvctl analyze --run-dir ${run.path}`],
    })
  }
}

interface Measured {
  /** Rows of the table that are no warm-up. */
  readonly rows: readonly number[]
  /** Those that were tried; a request that was never sent has no place on a time axis. */
  readonly requests: readonly ReportRequest[]
  readonly indexOfId: ReadonlyMap<number, number>
  /** First send, milliseconds since the run's origin. */
  readonly startMs: number
}

/** The measured requests, their times counted from the first send. */
export function measuredRequests(table: RequestTable): Measured {
  const rows: number[] = []
  for (let row = 0; row < table.count; row++) if (table.isWarmup[row] === 0) rows.push(row)
  const cursor = new RequestCursor(table)
  const tried = rows.filter(row => outcome(table, row) !== 'not_sent' && startOf(cursor.at(row)) !== null)
  const startMs = tried.reduce((first, row) => Math.min(first, startOf(cursor.at(row))!), Infinity)
  const indexOfId = new Map(tried.map((row, index) => [table.id[row]!, index]))
  const requests = tried.map((row): ReportRequest => {
    const times = cursor.at(row)
    const start = startOf(times)!
    const end = times.doneAtMs ?? times.lastTokenAtMs ?? times.firstByteAtMs ?? start
    return {
      sentMs: start - startMs,
      ttftMs: since(start, times.firstTokenAtMs),
      e2eMs: since(start, times.lastTokenAtMs),
      latencyMs: Math.max(0, end - start),
      outputTokens: times.completionTokens ?? times.chunkCount,
      isSuccess: table.outcome[row] === 0,
    }
  })
  return {rows, requests, indexOfId, startMs: Number.isFinite(startMs) ? startMs : 0}
}

function failureRows(table: RequestTable, measured: Measured): readonly FailureRow[] {
  const kinds = new Map<string, {count: number; firstMs: number | null; example: string}>()
  const cursor = new RequestCursor(table)
  for (const row of measured.rows) {
    if (table.outcome[row] === 0) continue
    const type = outcome(table, row)
    const kind = kinds.get(type) ?? {count: 0, firstMs: null, example: ''}
    const {doneAtMs, sentAtMs, scheduledAtMs} = cursor.at(row)
    const seenMs = doneAtMs ?? sentAtMs ?? scheduledAtMs
    kind.count++
    if (seenMs !== null) kind.firstMs = Math.min(kind.firstMs ?? Infinity, seenMs - measured.startMs)
    if (kind.example === '') kind.example = (table.errors.get(row) ?? '').slice(0, 300)
    kinds.set(type, kind)
  }
  return [...kinds]
    .map(([type, {count, firstMs, example}]) => ({
      type,
      count,
      share: count / measured.rows.length,
      firstSeenMs: firstMs,
      example,
    }))
    .sort((a, b) => b.count - a.count)
}

/** Of several segments the one the run's engine published, else the first that was seen. */
async function memorySamples(
  run: RunDirectory,
  meta: RunMeta,
  startMs: number,
): Promise<readonly MemorySample[]> {
  const samples: MemorySample[] = []
  let name = meta.server?.segment ?? null
  for await (const sample of readTimeSeries(run)) {
    name ??= sample.segments?.[0]?.name ?? null
    const segment = sample.segments?.find(candidate => candidate.name === name)
    const usage = sample.engine?.kv_cache_usage ?? null
    if (segment === undefined && usage === null) continue
    samples.push({
      atMs: sample.at_ms - startMs,
      usedBytes: segment?.used_bytes ?? null,
      preallocatedBytes: segment?.prealloc_bytes ?? null,
      limitBytes: segment?.limit_bytes ?? null,
      kvCacheUsage: usage,
    })
  }
  return samples
}

function outcome(table: RequestTable, row: number): string {
  return table.outcomeNames[table.outcome[row]!]!
}

function startOf(times: RequestCursor): number | null {
  return times.sentAtMs ?? times.scheduledAtMs
}

function since(start: number, at: number | null): number | null {
  return at === null ? null : at - start
}
