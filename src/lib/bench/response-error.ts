import type {Failure} from '../runs/index.js'

/** What a peer sent cannot be an answer; `failure` is its name in the run's vocabulary. */
export class ResponseError extends Error {
  readonly failure: Failure

  constructor(failure: Failure, message: string) {
    super(message)
    this.name = 'ResponseError'
    this.failure = failure
  }
}
