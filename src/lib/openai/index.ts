export {errorBody, errorMessage, type ErrorBody} from './errors.js'
export {createStopScanner, type StopScanner} from './stop-strings.js'
export {isAnswerBearing, isTokenBearing} from './token-bearing.js'
export {STREAM_END, type Delta, type StreamChunk, type Usage} from './wire.js'
