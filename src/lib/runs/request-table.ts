import type {RequestTimes} from '../metrics/index.js'
import type {WallSpan} from './run-clock.js'

/** Marks an unknown count in `Int32Array` columns. */
export const UNKNOWN_COUNT = -1

/**
 * One typed array a column, one place a request. Instants are microseconds of run time, NaN when they never came; counts are −1
 * when unknown.
 */
export interface RequestColumns {
  readonly id: Uint32Array
  readonly scheduledAtUs: Float64Array
  readonly sentAtUs: Float64Array
  readonly firstByteAtUs: Float64Array
  readonly firstTokenAtUs: Float64Array
  readonly lastTokenAtUs: Float64Array
  readonly answerAtUs: Float64Array
  readonly doneAtUs: Float64Array
  readonly connectUs: Float64Array
  readonly promptTokens: Int32Array
  readonly completionTokens: Int32Array
  readonly cachedTokens: Int32Array
  readonly chunkCount: Int32Array
  readonly firstChunkTokens: Int32Array
  /** Codes into `outcomeNames`; 0 is `ok`. */
  readonly outcome: Uint8Array
  /** Codes into `finishReasonNames`; 0 is unknown. */
  readonly finishReason: Uint8Array
  /** Codes into `tokensSourceNames`; 0 is unknown. */
  readonly tokensSource: Uint8Array
  /** Codes into `tenantNames`; 0 is nobody's. */
  readonly tenant: Uint8Array
  /** 1 for warm-up requests. */
  readonly isWarmup: Uint8Array
  /** 1 for requests that met a cold start. */
  readonly isCold: Uint8Array
}

/** All requests of a run, in the file's order (completion); a million take some 90 MB. */
export interface RequestTable extends RequestColumns {
  readonly count: number
  readonly originEpochMs: number
  /** Wall-clock time of a moment of run time, both in milliseconds. */
  readonly epochMs: (runMs: number) => number
  /** A stretch of run time on the wall clock, without the time between the parts of a resumed run. */
  readonly wallSpans: (fromRunMs: number, toRunMs: number) => WallSpan[]
  readonly outcomeNames: readonly string[]
  readonly finishReasonNames: readonly string[]
  readonly tokensSourceNames: readonly string[]
  readonly tenantNames: readonly string[]
  /** Texts of failures, by row. */
  readonly errors: ReadonlyMap<number, string>
  /** False when the file does not tell cold requests from warm ones. */
  readonly hasColdStarts: boolean
  /** True when the file has no `ttft_ms`, so that first tokens are first bytes. */
  readonly isFirstTokenFromFirstByte: boolean
  /** Fields that should be numbers and are not. */
  readonly unreadableFields: number
  /** Rows that broke off, as after a kill; they are left out. */
  readonly tornRows: number
}

/** Columns with room for `capacity` requests, holding those of `from`. */
export function allocateColumns(capacity: number, from?: RequestColumns): RequestColumns {
  const columns: RequestColumns = {
    id: new Uint32Array(capacity),
    scheduledAtUs: new Float64Array(capacity),
    sentAtUs: new Float64Array(capacity),
    firstByteAtUs: new Float64Array(capacity),
    firstTokenAtUs: new Float64Array(capacity),
    lastTokenAtUs: new Float64Array(capacity),
    answerAtUs: new Float64Array(capacity),
    doneAtUs: new Float64Array(capacity),
    connectUs: new Float64Array(capacity),
    promptTokens: new Int32Array(capacity),
    completionTokens: new Int32Array(capacity),
    cachedTokens: new Int32Array(capacity),
    chunkCount: new Int32Array(capacity),
    firstChunkTokens: new Int32Array(capacity),
    outcome: new Uint8Array(capacity),
    finishReason: new Uint8Array(capacity),
    tokensSource: new Uint8Array(capacity),
    tenant: new Uint8Array(capacity),
    isWarmup: new Uint8Array(capacity),
    isCold: new Uint8Array(capacity),
  }
  if (from) for (const name of columnNames(columns)) columns[name].set(from[name])
  return columns
}

/** The first `count` places of every column, without copying. */
export function firstOfColumns(columns: RequestColumns, count: number): RequestColumns {
  return Object.fromEntries(
    columnNames(columns).map(name => [name, columns[name].subarray(0, count)]),
  ) as unknown as RequestColumns
}

function columnNames(columns: RequestColumns): (keyof RequestColumns)[] {
  return Object.keys(columns) as (keyof RequestColumns)[]
}

/** One row of a table in the terms of the formulas; `at` moves it, so that a walk over a million rows makes no objects. */
export class RequestCursor implements RequestTimes {
  readonly #table: RequestTable
  #row = 0

  constructor(table: RequestTable) {
    this.#table = table
  }

  at(row: number): this {
    this.#row = row
    return this
  }

  get scheduledAtMs(): number | null {
    return ms(this.#table.scheduledAtUs[this.#row]!)
  }

  get sentAtMs(): number | null {
    return ms(this.#table.sentAtUs[this.#row]!)
  }

  get firstByteAtMs(): number | null {
    return ms(this.#table.firstByteAtUs[this.#row]!)
  }

  get firstTokenAtMs(): number | null {
    return ms(this.#table.firstTokenAtUs[this.#row]!)
  }

  get lastTokenAtMs(): number | null {
    return ms(this.#table.lastTokenAtUs[this.#row]!)
  }

  get answerAtMs(): number | null {
    return ms(this.#table.answerAtUs[this.#row]!)
  }

  get doneAtMs(): number | null {
    return ms(this.#table.doneAtUs[this.#row]!)
  }

  get connectMs(): number | null {
    return ms(this.#table.connectUs[this.#row]!)
  }

  get chunkCount(): number | null {
    return known(this.#table.chunkCount[this.#row]!)
  }

  get firstChunkTokens(): number | null {
    return known(this.#table.firstChunkTokens[this.#row]!)
  }

  get completionTokens(): number | null {
    return known(this.#table.completionTokens[this.#row]!)
  }
}

function ms(us: number): number | null {
  return Number.isNaN(us) ? null : us / 1000
}

function known(count: number): number | null {
  return count === UNKNOWN_COUNT ? null : count
}
