import type {BenchParts} from '../lib/bench/index.js'
import type {BenchJobs} from '../lib/jobs/index.js'
import type {Logger} from '../lib/foundation/index.js'
import type {SegmentStore} from '../lib/segments/index.js'
import {segmentStore} from './segments.js'
import {gpuSampler} from './machine.js'

/**
 * The parts of a benchmark. `close` gives back what they hold.
 *
 * @param outputDir the run directory; null makes one below `KVMINI_OUTPUT_DIR`, else `runs`
 */
export async function benchParts(
  logger: Logger,
  {outputDir, isInsecure}: {outputDir: string | null; isInsecure: boolean},
): Promise<BenchParts & {readonly segments: SegmentStore; close(): Promise<void>}> {
  const {knownServerPath, loadWorkerPath} = await import('../lib/bench/index.js')
  const {systemClock} = await import('../lib/foundation/index.js')
  const {createHttpClient} = await import('../lib/http/index.js')
  const {startEmbeddedEngine} = await import('../lib/inference/index.js')
  const {startWorker} = await import('../lib/processes/index.js')
  const {claimRunDirectory, createRunDirectory} = await import('../lib/runs/index.js')
  const http = createHttpClient({isInsecure})
  return {
    http,
    clock: systemClock,
    logger,
    segments: await segmentStore(logger),
    gpus: gpuSampler,
    startLoadProcess: () => startWorker(loadWorkerPath),
    startKnownServer: () => startWorker(knownServerPath),
    startEngine: startEmbeddedEngine,
    createRunDirectory: () =>
      outputDir === null
        ? createRunDirectory(process.env['KVMINI_OUTPUT_DIR'] || 'runs', new Date())
        : claimRunDirectory(outputDir),
    close: () => http.close(),
  }
}

/** Benchmarks for `kvctl serve`, each in a process of its own. @throws ResourceError when the folder cannot be read or written */
export async function benchJobs(
  {folder, targets}: {readonly folder: string; readonly targets: readonly string[]},
  logger: Logger,
): Promise<BenchJobs> {
  const jobs = await import('../lib/jobs/index.js')
  const {startWorker} = await import('../lib/processes/index.js')
  return jobs.BenchJobs.open({
    folder,
    targets,
    logger,
    startProcess: () => startWorker(jobs.benchJobPath),
  })
}
