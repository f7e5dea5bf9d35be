export {probeApi, type Capability} from './api-probe.js'
export {probeCache, type CacheProbe, type CacheProbeOptions} from './cache-probe.js'
