export {
  createHttpClient,
  type HttpAnswer,
  type HttpClient,
  type HttpClientOptions,
  type HttpRequestOptions,
} from './client.js'
export {headersToForward} from './forward-headers.js'
export {createEventClient, type EventClient, type EventsOptions} from './events.js'
export {followEvents, type FollowOptions} from './follow-events.js'
export {jsonOf} from './json-answer.js'
export {
  createRelayPool,
  type Relayed,
  type RelayFailure,
  type RelayPool,
  type RelayRequest,
  type RelaySink,
} from './relay.js'
export {
  createStreamPool,
  streamFailureOf,
  type StreamFailure,
  type StreamListener,
  type StreamPool,
  type StreamPoolOptions,
  type StreamRequest,
} from './stream-pool.js'
