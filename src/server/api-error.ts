import {errorBody} from '../lib/openai/index.js'

/** A refusal with its HTTP status, written in vLLM's envelope. */
export class ApiError extends Error {
  readonly status: number
  readonly param: string | null
  readonly type: string | undefined

  constructor(status: number, message: string, param: string | null = null, type?: string) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.param = param
    this.type = type
  }

  get body(): object {
    return errorBody(this.status, this.message, this.param, this.type)
  }
}
