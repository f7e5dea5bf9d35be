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
export {createRelayPool, type RelayPool} from './relay.js'
export type {Relayed, RelayFailure, RelayRequest, RelaySink} from './relay-exchange.js'
export {
  createStreamPool,
  streamFailureOf,
  type StreamFailure,
  type StreamListener,
  type StreamPool,
  type StreamPoolOptions,
  type StreamRequest,
} from './stream-pool.js'
