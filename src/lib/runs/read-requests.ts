import {stat} from 'node:fs/promises'
import {join} from 'node:path'
import {ConfigurationError, isSystemError, ResourceError} from '../foundation/index.js'
import {fieldText, fieldThousandths, scanCsv, type CsvRow} from './csv-scanner.js'
import {NameCodes} from './name-codes.js'
import {
  allocateColumns,
  firstOfColumns,
  UNKNOWN_COUNT,
  type RequestColumns,
  type RequestTable,
} from './request-table.js'
import type {RunPart} from './meta.js'
import {RunClock} from './run-clock.js'
import {RUN_FILES, type RunDirectory} from './run-directory.js'

/** Failure texts kept; a run in which everything fails needs no more to be understood. */
const MAX_ERRORS = 100_000
/** Rows by which the length of all others is guessed. */
const SAMPLE_ROWS = 1024
const MAX_COUNT = 2 ** 31 - 1
const REQUIRED = ['start_ms', 'latency_ms', 'status'] as const
const COLUMNS = [
  ...REQUIRED,
  'id',
  'scheduled_ms',
  'ttfb_ms',
  'ttft_ms',
  'tllt_ms',
  'ttfo_ms',
  'first_chunk_tokens',
  'end_ms',
  'connect_ms',
  'prompt_tokens',
  'completion_tokens',
  'cached_tokens',
  'chunk_count',
  'error',
  'error_type',
  'finish_reason',
  'tokens_source',
  'tenant',
  'phase',
  'is_cold_start',
] as const
type Column = (typeof COLUMNS)[number]
/** Where each column stands in the file; −1 when it has none. */
type Places = Readonly<Record<Column, number>>

/**
 * Reads `requests.csv` by the names in its header, so that upstream's own and older files are read too.
 *
 * @param originEpochMs the run's origin; null takes the first row's schedule
 * @param parts those of `meta.json`, none for a run of one piece
 * @throws ResourceError `RUN_INCOMPLETE` when there is no file
 * @throws ConfigurationError `RUN_UNREADABLE` when it has no header with `start_ms`, `latency_ms` and `status`
 */
export async function readRequests(
  run: RunDirectory,
  originEpochMs: number | null,
  parts: readonly RunPart[] = [],
): Promise<RequestTable> {
  const path = join(run.path, RUN_FILES.requests)
  const builders: TableBuilder[] = []
  try {
    const {size: fileBytes} = await stat(path)
    await scanCsv(
      path,
      row => {
        if (builders[0]) builders[0].add(row)
        else
          builders.push(
            new TableBuilder(placesOf(row, path), {fields: row.length, fileBytes}, originEpochMs, parts),
          )
      },
      run.onRead,
    )
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'EISDIR')) throw error
    throw new ResourceError('RUN_INCOMPLETE', `there is no ${path}`, {
      cause: error,
      suggestions: ['a run directory holds requests.csv; kvctl bench makes one'],
    })
  }
  if (!builders[0]) throw unreadable(path, 'is empty')
  return builders[0].table()
}

function placesOf(header: CsvRow, path: string): Places {
  const names = Array.from({length: header.length}, (_, index) =>
    fieldText(header, index)
      .replace(/^\uFEFF/, '')
      .trim(),
  )
  const missing = REQUIRED.filter(name => !names.includes(name))
  if (missing.length > 0) throw unreadable(path, `has no column ${missing.join(', ')}`)
  return Object.fromEntries(COLUMNS.map(name => [name, names.indexOf(name)])) as Record<Column, number>
}

function unreadable(path: string, why: string): ConfigurationError {
  return new ConfigurationError('RUN_UNREADABLE', `${path} ${why}`)
}

class TableBuilder {
  readonly #places: Places
  readonly #fields: number
  readonly #outcomes = new NameCodes(['ok'])
  readonly #finishReasons = new NameCodes([''])
  readonly #tokensSources = new NameCodes([''])
  readonly #tenants = new NameCodes([''])
  readonly #phases = new NameCodes(['measure', 'warmup'])
  readonly #coldness = new NameCodes(['False', 'True', 'true', '1'])
  readonly #errors = new Map<number, string>()
  readonly #parts: readonly RunPart[]
  #clock: RunClock | null
  #columns = allocateColumns(0)
  #capacity = 0
  #sampleBytes = 0
  readonly #fileBytes: number
  #count = 0
  #unreadableFields = 0
  #tornRows = 0

  constructor(
    places: Places,
    {fields, fileBytes}: {readonly fields: number; readonly fileBytes: number},
    originEpochMs: number | null,
    parts: readonly RunPart[],
  ) {
    this.#fileBytes = fileBytes
    this.#places = places
    this.#fields = fields
    this.#parts = parts
    this.#clock = originEpochMs === null ? null : new RunClock(originEpochMs, parts)
  }

  add(row: CsvRow): void {
    // Our own writer ends every row; a last row without its end was cut, even if no field seems to miss.
    if (!row.isTerminated && (this.#places.error_type >= 0 || row.length < this.#fields)) {
      this.#tornRows++
      return
    }
    if (this.#count === this.#capacity) {
      this.#capacity = this.#nextCapacity()
      this.#columns = allocateColumns(this.#capacity, this.#columns)
    }
    if (this.#count < SAMPLE_ROWS) this.#sampleBytes += row.ends[row.length - 1]! - row.starts[0]! + 1
    this.#read(row, this.#columns, this.#count)
    this.#count++
  }

  /** Room for the whole file by the length of its first rows, so that columns are copied once and not time and again. */
  #nextCapacity(): number {
    if (this.#capacity === 0) return SAMPLE_ROWS
    const expected = (this.#fileBytes / this.#sampleBytes) * SAMPLE_ROWS * 1.02
    return Math.ceil(
      this.#capacity === SAMPLE_ROWS ? Math.max(2 * SAMPLE_ROWS, expected) : this.#capacity * 1.5,
    )
  }

  table(): RequestTable {
    const clock = this.#clock ?? new RunClock(0, this.#parts)
    return {
      ...firstOfColumns(this.#columns, this.#count),
      count: this.#count,
      originEpochMs: clock.originEpochMs,
      epochMs: runMs => clock.epochMs(runMs),
      wallSpans: (fromMs, toMs) => clock.wallSpans(fromMs, toMs),
      outcomeNames: this.#outcomes.names,
      finishReasonNames: this.#finishReasons.names,
      tokensSourceNames: this.#tokensSources.names,
      tenantNames: this.#tenants.names,
      errors: this.#errors,
      hasColdStarts: this.#places.is_cold_start >= 0,
      isFirstTokenFromFirstByte: this.#places.ttft_ms < 0,
      unreadableFields: this.#unreadableFields,
      tornRows: this.#tornRows,
    }
  }

  #read(row: CsvRow, into: RequestColumns, at: number): void {
    const places = this.#places
    const scheduled = this.#us(row, places.scheduled_ms)
    const sent = this.#us(row, places.start_ms)
    this.#clock ??= new RunClock((Number.isNaN(scheduled) ? sent : scheduled) / 1000, this.#parts)
    const origin = this.#clock.nextRowOriginUs()
    const sentAt = sent - origin
    into.scheduledAtUs[at] = scheduled - origin
    into.sentAtUs[at] = sentAt
    into.firstByteAtUs[at] = sentAt + this.#us(row, places.ttfb_ms)
    into.firstTokenAtUs[at] = sentAt + this.#us(row, places.ttft_ms >= 0 ? places.ttft_ms : places.ttfb_ms)
    into.answerAtUs[at] = sentAt + this.#us(row, places.ttfo_ms)
    into.lastTokenAtUs[at] = sentAt + this.#us(row, places.tllt_ms)
    const latency = this.#us(row, places.latency_ms)
    into.doneAtUs[at] = Number.isNaN(latency) ? this.#us(row, places.end_ms) - origin : sentAt + latency
    into.connectUs[at] = this.#us(row, places.connect_ms)
    into.promptTokens[at] = this.#tokens(row, places.prompt_tokens)
    into.completionTokens[at] = this.#tokens(row, places.completion_tokens)
    into.cachedTokens[at] = this.#tokens(row, places.cached_tokens)
    into.chunkCount[at] = this.#tokens(row, places.chunk_count)
    into.firstChunkTokens[at] = this.#tokens(row, places.first_chunk_tokens)
    const id = this.#tokens(row, places.id)
    into.id[at] = id === UNKNOWN_COUNT ? at + 1 : id
    into.outcome[at] = this.#outcome(row)
    if (places.finish_reason >= 0) into.finishReason[at] = this.#finishReasons.code(row, places.finish_reason)
    if (places.tokens_source >= 0) into.tokensSource[at] = this.#tokensSources.code(row, places.tokens_source)
    if (places.tenant >= 0) into.tenant[at] = this.#tenants.code(row, places.tenant)
    if (places.phase >= 0) into.isWarmup[at] = this.#phases.code(row, places.phase) === 1 ? 1 : 0
    if (places.is_cold_start >= 0)
      into.isCold[at] = this.#coldness.code(row, places.is_cold_start) === 0 ? 0 : 1
    if (into.outcome[at] !== 0 && places.error >= 0 && this.#errors.size < MAX_ERRORS) {
      this.#errors.set(at, fieldText(row, places.error))
    }
  }

  /** The failure's own name; without one, what the status says, as upstream's readers do. */
  #outcome(row: CsvRow): number {
    const {error_type: named, status} = this.#places
    if (named >= 0 && named < row.length && row.starts[named] !== row.ends[named])
      return this.#outcomes.code(row, named)
    const code = this.#us(row, status) / 1000
    if (code === 200) return 0
    if (code === 429) return this.#outcomes.add('http_429')
    if (code >= 500) return this.#outcomes.add('http_5xx')
    if (code >= 400) return this.#outcomes.add('http_4xx')
    return this.#outcomes.add(code > 0 ? 'invalid_response' : 'exception')
  }

  /** Milliseconds in the file, microseconds here; NaN when empty, missing or unreadable. */
  #us(row: CsvRow, place: number): number {
    if (place < 0 || place >= row.length) return NaN
    const value = fieldThousandths(row, place)
    if (Number.isNaN(value) && row.starts[place] !== row.ends[place]) this.#unreadableFields++
    return value
  }

  #tokens(row: CsvRow, place: number): number {
    const thousandths = this.#us(row, place)
    if (Number.isNaN(thousandths)) return UNKNOWN_COUNT
    const count = thousandths / 1000
    if (Number.isInteger(count) && count >= 0 && count <= MAX_COUNT) return count
    this.#unreadableFields++
    return UNKNOWN_COUNT
  }
}
