/** The error envelope of OpenAI-style servers; `code` repeats the HTTP status as vLLM does. */
export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param: string | null
    readonly code: number
  }
}

const TYPES: Readonly<Record<number, string>> = {
  400: 'BadRequestError',
  401: 'AuthenticationError',
  404: 'NotFoundError',
  408: 'RequestTimeoutError',
  413: 'RequestEntityTooLargeError',
  422: 'UnprocessableEntityError',
  429: 'RateLimitError',
  500: 'InternalServerError',
  501: 'NotImplementedError',
  503: 'ServiceUnavailableError',
}

/**
 * @param status HTTP status, which also names the type unless `type` does
 * @see vllm-project/vllm:vllm/entrypoints/openai/engine/protocol.py — ErrorInfo, ErrorResponse
 */
export function errorBody(
  status: number,
  message: string,
  param: string | null = null,
  type?: string,
): ErrorBody {
  return {
    error: {
      message,
      type: type ?? TYPES[status] ?? (status < 500 ? 'BadRequestError' : 'InternalServerError'),
      param,
      code: status,
    },
  }
}

/**
 * The message of any error body met in the wild: `{"error":{"message"}}`, `{"error":"text"}`, FastAPI's `{"detail"}` and
 * SGLang's flat `{"object":"error","message"}`.
 *
 * @returns null when `body` is no error
 */
export function errorMessage(body: unknown): string | null {
  if (typeof body !== 'object' || body === null) return null
  const {error, detail, object, message} = body as Record<string, unknown>
  if (typeof error === 'string') return error
  if (typeof error === 'object' && error !== null) {
    const inner = (error as Record<string, unknown>)['message']
    return typeof inner === 'string' ? inner : JSON.stringify(error)
  }
  if (detail !== undefined && detail !== null)
    return typeof detail === 'string' ? detail : JSON.stringify(detail)
  return object === 'error' && typeof message === 'string' ? message : null
}
