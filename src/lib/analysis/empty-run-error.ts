import {EXIT, KvctlError} from '../foundation/index.js'

/** A run that holds no measured request: there is nothing to say about the server. */
export class EmptyRunError extends KvctlError {
  readonly exitCode = EXIT.general

  constructor(path: string) {
    super('RUN_EMPTY', `${path} holds no measured request`, {suggestions: ['kvctl bench']})
  }
}
