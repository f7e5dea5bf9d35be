/**
 * The only room that builds real parts: one async function a part, each loading what it needs on first call, so that
 * `kvctl list` never pays for the engine and nothing pays for koffi at import.
 */
export {benchJobs, benchParts} from './bench.js'
export {cacheWorker, engineCacheWorker, remoteCacheWorkers} from './cache.js'
export {balancerFor, launchParts, routerFor} from './controller.js'
export {embeddedEngine, openKvDevice} from './engine.js'
export {kubernetesCluster} from './kubernetes.js'
export {DRIVER_PATIENCE_MS, doctorParts, gpuSampler, machine} from './machine.js'
export {monitorParts, type MonitorParts, type MonitorSources} from './monitor.js'
export {freeSegmentName, segmentStore} from './segments.js'
