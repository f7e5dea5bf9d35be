import {ApiError} from './api-error.js'

/** What of a request decides where it goes. */
export interface RoutedBody {
  readonly model: string
  /** null for a body that is no JSON. */
  readonly json: Readonly<Record<string, unknown>> | null
}

/** A field of a form comes before its file, or after a file that nobody should search to its end. */
const FORM_HEAD_BYTES = 64 * 1024
const FORM_MODEL = /\bname="model"\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]*)\r\n/

/**
 * Finds the model of a request: `model` of a JSON body or of a form (`/v1/audio/…`), else of the query.
 *
 * @throws ApiError 400 without one, and for JSON that is none
 */
export function readRoutedBody(
  body: Buffer | null,
  contentType: string | undefined,
  url: string,
): RoutedBody {
  if (body !== null && body.length > 0) {
    if (contentType?.startsWith('multipart/form-data') === true) {
      const model = formModel(body)
      if (model !== null) return {model, json: null}
    } else if (contentType === undefined || /json|text\/plain/.test(contentType)) {
      const json = parseJson(body)
      const {model} = json
      if (typeof model === 'string' && model !== '') return {model, json}
    }
  }
  const model = new URLSearchParams(url.split('?', 2)[1] ?? '').get('model')
  if (model !== null && model !== '') return {model, json: null}
  throw new ApiError(400, 'model parameter is required', 'model')
}

function parseJson(body: Buffer): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw new ApiError(400, `The body is not valid JSON: ${(error as Error).message}`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new ApiError(400, 'The body is not a JSON object')
}

function formModel(body: Buffer): string | null {
  const parts = [body.subarray(0, FORM_HEAD_BYTES), body.subarray(-FORM_HEAD_BYTES)]
  for (const part of parts) {
    const model = FORM_MODEL.exec(part.toString('latin1'))?.[1]
    if (model !== undefined && model !== '') return Buffer.from(model, 'latin1').toString('utf8')
  }
  return null
}
