/** What a worker is asked, as HTTP brings it. */
export interface CacheInput {
  /** Every value of every query parameter. */
  readonly query: Readonly<Record<string, readonly string[]>>
  /** Text of the body; empty without one. */
  readonly body: string
  /** What stands in the path. */
  readonly name: string | null
}

/** A document, or a text. */
export interface CacheReply {
  readonly status: number
  readonly body: unknown
}

export function done(fields: Readonly<Record<string, unknown>>): CacheReply {
  return {status: 200, body: {status: 'success', ...fields}}
}

/** LMCache's form of a failure: a short name and a detail. */
export function failure(
  status: number,
  error: string,
  message: string,
  more: Readonly<Record<string, unknown>> = {},
): CacheReply {
  return {status, body: {error, message, ...more}}
}

/** FastAPI's form of a parameter or body that has the wrong type. */
export function unprocessable(
  location: readonly string[],
  type: string,
  message: string,
  input: unknown,
): CacheReply {
  return {status: 422, body: {detail: [{type, loc: location, msg: message, input}]}}
}

/** The last value of a parameter, as FastAPI takes it; null when it is absent. */
export function parameter({query}: CacheInput, name: string): string | null {
  return query[name]?.at(-1) ?? null
}

const TRUE = ['true', '1', 'yes', 'on', 't', 'y']
const FALSE = ['false', '0', 'no', 'off', 'f', 'n']

/** @returns null when it is no truth value to FastAPI */
export function truth(text: string): boolean | null {
  const plain = text.toLowerCase()
  if (TRUE.includes(plain)) return true
  return FALSE.includes(plain) ? false : null
}

export function notBoolean(name: string, input: string): CacheReply {
  return unprocessable(
    ['query', name],
    'bool_parsing',
    'Input should be a valid boolean, unable to interpret input',
    input,
  )
}

export function notInteger(location: readonly string[], input: unknown): CacheReply {
  return unprocessable(
    location,
    typeof input === 'string' ? 'int_parsing' : 'int_type',
    'Input should be a valid integer, unable to parse string as an integer',
    input,
  )
}

/** Text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
