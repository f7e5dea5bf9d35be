export {API_CHECKS, probeApi, type Capability} from './api-probe.js'
export {
  probeCache,
  type CacheProbe,
  type CacheProbeOptions,
  type HalfParts,
  type ProbeHalf,
} from './cache-probe.js'
