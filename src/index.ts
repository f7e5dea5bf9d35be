/** kvctl as a library: what the commands use, typed and documented. */
export {
  ConfigurationError,
  KvctlError,
  NetworkError,
  ResourceError,
  ValidationError,
} from './lib/foundation/index.js'
