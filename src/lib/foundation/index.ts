export {CBOR_TYPE, writeCborHead} from './cbor.js'
export {
  ConfigurationError,
  errorDocument,
  EXIT,
  InterruptedError,
  isSystemError,
  KvctlError,
  NetworkError,
  ResourceError,
  ValidationError,
  type ErrorDocument,
  type ErrorOptionsKvctl,
} from './errors.js'
export {stringifyExact} from './exact-json.js'
export {fieldsOf, numberOf, rowsOf, textOf, type Fields} from './fields.js'
export {parseQuantity, QUANTITY} from './quantities.js'
export {formatSize, parseSize} from './sizes.js'
export {formatDurationMs, parseDurationMs} from './durations.js'
export {systemClock, VirtualClock, type Clock} from './clock.js'
export {mixBits} from './mix-bits.js'
export {seededRandom, type Random} from './random.js'
export {compileLate} from './compile-late.js'
export {createTicker, type Ticker} from './ticker.js'
export {
  canColorLog,
  createLogger,
  isDebug,
  logLevel,
  silentLogger,
  type Logger,
  parseLogLevel,
  type LogLevel,
} from './logger.js'
export {packageRoot, packageVersion} from './package-root.js'
export {isSecretName, REMOVED, withoutSecrets, withoutSecretWords, withoutUrlSecrets} from './secrets.js'
