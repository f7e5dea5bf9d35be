export {
  createHttpClient,
  type HttpAnswer,
  type HttpClient,
  type HttpClientOptions,
  type HttpRequestOptions,
} from './client.js'
export {jsonOf} from './json-answer.js'
